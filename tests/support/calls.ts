// SPDX-License-Identifier: GPL-2.0-or-later
/** Calls without sound on loopback, for tests that care for the signalling only. */
import { deadline } from "@std/async";
import {
  type BaseSDPSession,
  type Engine,
  FromHeader,
  FrozenSDPSession,
  Invitation,
  NotificationCenter,
  RouteHeader,
  SIPURI,
  ToHeader,
} from "../../mod.ts";

/** One PCMU stream, as an offer and as an answer; nobody listens at its port. */
export const silentSdp: FrozenSDPSession = FrozenSDPSession.parse(
  "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n" +
    "m=audio 4000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=sendrecv\r\n",
);

/** Calls a UDP port of this machine's. */
export function callPort(port: number, sdp: BaseSDPSession = silentSdp, user: string = "peer"): Invitation {
  const uri = new SIPURI({ user, host: "127.0.0.1", port });
  const invitation = new Invitation();
  invitation.sendInvite({
    requestUri: uri,
    fromHeader: new FromHeader(new SIPURI({ user: "sipcore", host: "127.0.0.1" })),
    toHeader: new ToHeader(uri),
    routeHeader: RouteHeader.to({ address: "127.0.0.1", port }),
    sdp,
  });
  return invitation;
}

/** Counts what becomes of the calls of an engine, and reacts to it. Ends by `using`. */
export class Calls implements Disposable {
  /** How many invitations came to that state. */
  readonly incoming: Set<Invitation> = new Set();
  readonly connected: Set<Invitation> = new Set();
  readonly disconnected: Set<Invitation> = new Set();
  readonly #observers: Disposable[];
  readonly #errors: unknown[] = [];

  /** `onIncoming` says what is done with a call that comes in; left out: it is answered with 200. */
  constructor(engine: Engine, onIncoming: (invitation: Invitation) => void = answer) {
    const center = new NotificationCenter();
    this.#observers = [
      center.addObserver(({ sender, data }) => {
        switch (data.state) {
          case "incoming":
            this.incoming.add(sender);
            onIncoming(sender);
            break;
          case "connected":
            this.connected.add(sender);
            break;
          case "disconnected":
            this.disconnected.add(sender);
            break;
        }
      }, { name: "SIPInvitationChangedState" }),
      center.addObserver(({ data }) => void this.#errors.push(data.value), {
        name: "SIPEngineGotException",
        sender: engine,
      }),
    ];
  }

  /**
   * Resolves when that is so after some change.
   *
   * @throws what an observer has thrown; DOMException "TimeoutError" when it does not come to that in 30 seconds.
   */
  async until(isSo: () => boolean): Promise<void> {
    await deadline(this.#until(isSo), 30_000);
  }

  async #until(isSo: () => boolean): Promise<void> {
    const center = new NotificationCenter();
    while (!isSo()) {
      if (this.#errors.length > 0) throw this.#errors[0];
      await center.once(["SIPInvitationChangedState", "SIPEngineGotException"]);
    }
  }

  [Symbol.dispose](): void {
    for (const observer of this.#observers) observer[Symbol.dispose]();
  }
}

/** Takes a call. */
export function answer(invitation: Invitation): void {
  invitation.sendResponse(200, { sdp: silentSdp });
}
