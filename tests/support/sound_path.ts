// SPDX-License-Identifier: GPL-2.0-or-later
import {
  type AudioMixer,
  type AudioStartOptions,
  AudioTransport,
  type FrozenSDPSession,
  type Invitation,
  NotificationCenter,
  RTPTransport,
  type RTPTransportOptions,
  SDPConnection,
  SDPSession,
} from "../../mod.ts";

/** Where the sound of one call goes in and out. Ends by `using`. */
export class SoundPath implements Disposable {
  /** Offer, or answer to `remoteSdp`. */
  readonly sdp: SDPSession;
  readonly audio: AudioTransport;
  readonly #transport: RTPTransport;

  constructor(
    mixer: AudioMixer,
    remoteSdp: FrozenSDPSession | null = null,
    options: RTPTransportOptions = {},
  ) {
    this.#transport = new RTPTransport(options);
    this.#transport.setInit();
    this.audio = new AudioTransport(mixer, this.#transport, { remoteSdp });
    this.sdp = new SDPSession("127.0.0.1", {
      connection: new SDPConnection("127.0.0.1"),
      media: [this.audio.getLocalMedia(remoteSdp === null)],
    });
  }

  /**
   * Resolves when offer and answer are negotiated and sound flows.
   *
   * @throws Error when they do not fit.
   */
  async open(invitation: Invitation, options: AudioStartOptions = {}): Promise<void> {
    const { data } = await new NotificationCenter().once("SIPInvitationGotSDPUpdate", { sender: invitation });
    if (!data.succeeded) throw new Error(data.error);
    this.audio.start(data.localSdp, data.remoteSdp, options);
  }

  [Symbol.dispose](): void {
    this.audio.stop();
    this.#transport.close();
  }
}
