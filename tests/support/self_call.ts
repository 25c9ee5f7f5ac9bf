// SPDX-License-Identifier: GPL-2.0-or-later
import { deadline, delay } from "@std/async";
import { type AudioMixer, type Engine, type Invitation, NotificationCenter } from "../../mod.ts";
import { callPort } from "./calls.ts";
import { SoundPath } from "./sound_path.ts";

/** A call with sound of an engine to itself, for what needs no second process. */
export class SelfCall {
  readonly #caller: Invitation;
  readonly #callee: Invitation;
  readonly #paths: readonly [caller: SoundPath, callee: SoundPath];

  private constructor(caller: Invitation, callee: Invitation, paths: readonly [SoundPath, SoundPath]) {
    this.#caller = caller;
    this.#callee = callee;
    this.#paths = paths;
  }

  /** Calls, answers, and resolves when both sides have got some RTP. */
  static async start(engine: Engine, mixer: AudioMixer): Promise<SelfCall> {
    const incoming = new NotificationCenter().once("SIPInvitationChangedState", {
      where: ({ data }) => data.state === "incoming",
    });
    const callerPath = new SoundPath(mixer);
    const caller = callPort(engine.udpPort!, callerPath.sdp);
    const callerOpen = callerPath.open(caller);
    const { sender: callee } = await deadline(incoming, 10_000);
    const calleePath = new SoundPath(mixer, callee.sdp.proposedRemote);
    const calleeOpen = calleePath.open(callee);
    callee.sendResponse(200, { sdp: calleePath.sdp });
    await deadline(Promise.all([callerOpen, calleeOpen]), 10_000);
    mixer.connectSlots(callerPath.audio, calleePath.audio);
    mixer.connectSlots(calleePath.audio, callerPath.audio);
    const call = new SelfCall(caller, callee, [callerPath, calleePath]);
    await deadline(call.#heard(), 10_000);
    return call;
  }

  async #heard(): Promise<void> {
    while (this.#paths.some(({ audio }) => audio.statistics?.rx.packets === 0)) await delay(5);
  }

  /** Hangs up; resolves when both sides have ended. */
  async end(): Promise<void> {
    const ended = [this.#caller, this.#callee].map(async (invitation) => {
      for await (const _ of invitation.notifications());
    });
    this.#caller.end();
    await deadline(Promise.all(ended), 10_000);
    for (const path of this.#paths) path[Symbol.dispose]();
  }
}
