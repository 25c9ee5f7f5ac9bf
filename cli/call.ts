// SPDX-License-Identifier: GPL-2.0-or-later
/** One call with sound, from the first state of its invitation to the last. */
import type { Invitation, InvitationStateChange } from "../mod.ts";
import type { CallEvent, CallReport } from "./call_report.ts";
import { audioIndex, describeSession } from "./session.ts";
import { Sound, type SoundOptions } from "./sound.ts";

export interface CallOptions extends SoundOptions {
  /** Hangs up this many seconds after the answer; null: does not by itself. */
  readonly hangUpAfter: number | null;
  readonly report: (event: CallEvent) => void;
}

type Change = Readonly<InvitationStateChange & { timestamp: Date }>;

/** How often the level is reported, in milliseconds. */
const LEVELS = 200;

export class Call {
  readonly #invitation: Invitation;
  readonly #options: CallOptions;
  readonly #sound: Sound;
  /** Resolves when the call has ended. */
  readonly ended: Promise<CallReport>;
  readonly #timers: ReturnType<typeof setTimeout>[] = [];
  #started: Date | null = null;
  #ringing: Date | null = null;
  #connected: Date | null = null;
  /** The change with which the end began, and the one with which it was over. */
  #ending: Change | null = null;
  #end: Change | null = null;

  /** @param started when an incoming call came; null: it is an outgoing one. */
  constructor(invitation: Invitation, options: CallOptions, started: Date | null = null) {
    this.#invitation = invitation;
    this.#options = options;
    this.#sound = new Sound(options);
    this.#started = started;
    this.ended = this.#follow();
  }

  get sound(): Sound {
    return this.#sound;
  }

  /** Rings and answers the incoming call; one that offers no sound is refused. */
  async answer(): Promise<void> {
    const invitation = this.#invitation;
    const offer = invitation.sdp.proposedRemote;
    const index = offer === null ? 0 : audioIndex(offer);
    if (index === null) return invitation.sendResponse(488);
    invitation.sendResponse(180);
    const audio = await this.#sound.open(offer, index);
    // Whoever calls may have hung up meanwhile.
    if (invitation.state !== "incoming" && invitation.state !== "early") return;
    const { address } = this.#options;
    invitation.sendResponse(200, { sdp: describeSession({ address, audio, offer, index }) });
  }

  /** Holds and the like are followed; a change that leaves no sound is refused. */
  #answerChange(): void {
    const invitation = this.#invitation;
    const offer = invitation.sdp.proposedRemote;
    const index = offer === null ? 0 : audioIndex(offer);
    if (index === null) return invitation.sendResponse(488);
    const { address } = this.#options;
    const audio = this.#sound.change(offer);
    const before = invitation.sdp.activeLocal;
    invitation.sendResponse(200, { sdp: describeSession({ address, audio, offer, index, before }) });
  }

  /** Ends the call, whatever it is doing. */
  hangUp(): void {
    const { state } = this.#invitation;
    if (state !== "disconnecting" && state !== "disconnected") this.#invitation.end();
  }

  async #follow(): Promise<CallReport> {
    for await (const notification of this.#invitation.notifications()) {
      try {
        if (notification.name === "SIPInvitationChangedState") this.#changed(notification.data);
        else if (notification.name === "SIPInvitationGotSDPUpdate" && notification.data.succeeded) {
          this.#agreed(notification.data.localSdp, notification.data.remoteSdp);
        }
      } catch (error) {
        this.#giveUp(error);
      }
    }
    return await this.#finish();
  }

  #changed(change: Change): void {
    const { state, timestamp } = change;
    switch (state) {
      case "outgoing":
        this.#started = timestamp;
        break;
      case "early":
        this.#ringing ??= timestamp;
        break;
      case "connected":
        if (this.#connected === null) this.#talk(timestamp);
        else if (change.subState?.startsWith("received_proposal")) this.#answerChange();
        break;
      case "disconnecting":
        this.#ending = change;
        break;
      case "disconnected":
        this.#ending ??= change;
        this.#end = change;
        break;
    }
  }

  #agreed(...[local, remote]: Parameters<Sound["start"]>): void {
    const { report } = this.#options;
    const isFirst = !this.#sound.audio!.isStarted;
    this.#sound.start(local, remote);
    const { codec, sampleRate } = this.#sound.audio!;
    report({ type: "talk", codec: codec ?? "?", sampleRate: sampleRate ?? 0 });
    if (!isFirst) return;
    this.#timers.push(setInterval(() => {
      const level = this.#sound.level;
      if (level !== null) report({ type: "level", ...level });
    }, LEVELS));
  }

  #talk(timestamp: Date): void {
    const { hangUpAfter, report } = this.#options;
    this.#connected = timestamp;
    this.#sound.play().then(
      (complete) => complete && report({ type: "played" }),
      (error) => this.#giveUp(error),
    );
    if (hangUpAfter !== null) this.#timers.push(setTimeout(() => this.hangUp(), hangUpAfter * 1000));
  }

  /** Ends this call alone: whoever waits for more calls must not go down with it. */
  #giveUp(error: unknown): void {
    if (this.#end !== null) return;
    this.#options.report({ type: "note", name: "Trouble:", text: String(error) });
    this.hangUp();
  }

  async #finish(): Promise<CallReport> {
    for (const timer of this.#timers) clearInterval(timer);
    const streams = this.#sound.streams;
    const audio = this.#sound.audio;
    const report: CallReport = {
      peer: this.#invitation.remoteIdentity?.uri.toString() ?? "?",
      code: this.#end?.code ?? null,
      reason: this.#end?.reason ?? null,
      cause: this.#end?.disconnectReason ?? null,
      endedBy: this.#ending?.originator ?? null,
      ringing: between(this.#started, this.#ringing),
      setUp: between(this.#started, this.#connected),
      length: between(this.#connected, this.#ending?.timestamp ?? null),
      codec: audio?.codec ?? null,
      sampleRate: audio?.sampleRate ?? null,
      received: streams?.received ?? null,
      sent: streams?.sent ?? null,
      recording: this.#sound.recording,
    };
    await this.#sound[Symbol.asyncDispose]();
    return report;
  }
}

function between(from: Date | null, to: Date | null): number | null {
  return from === null || to === null ? null : to.getTime() - from.getTime();
}
