// SPDX-License-Identifier: GPL-2.0-or-later
import { deadline } from "@std/async";
import { type AudioMixer, type Invitation, NotificationCenter, type PCMPort } from "../../mod.ts";
import { callPort } from "./calls.ts";
import { SoundPath } from "./sound_path.ts";

/** A call that goes out, whose sound the test has in its hands. Ends by `using`. */
export class VoiceCall implements AsyncDisposable {
  readonly invitation: Invitation;
  readonly voice: PCMPort;
  readonly #path: SoundPath;

  private constructor(invitation: Invitation, path: SoundPath, voice: PCMPort) {
    this.invitation = invitation;
    this.#path = path;
    this.voice = voice;
  }

  /** Resolves when the other side has answered. */
  static async start(mixer: AudioMixer, port: number, sampleRate: number): Promise<VoiceCall> {
    const path = new SoundPath(mixer);
    const invitation = callPort(port, path.sdp);
    await deadline(path.open(invitation), 10_000);
    // Sound that waits for a reader is not lost meanwhile.
    return new VoiceCall(invitation, path, path.audio.pcm({ sampleRate, capacity: 10_000 }));
  }

  /** Resolves when the call is over, whoever ends it. */
  async ended(): Promise<void> {
    if (this.invitation.state === "disconnected") return;
    await new NotificationCenter().once("SIPInvitationChangedState", {
      sender: this.invitation,
      where: ({ data }) => data.state === "disconnected",
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = this.ended();
    if (this.invitation.state === "connected") this.invitation.end();
    await deadline(ended, 10_000);
    this.#path[Symbol.dispose]();
  }
}
