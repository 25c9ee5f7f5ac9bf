// SPDX-License-Identifier: GPL-2.0-or-later
import { decodeText } from "./header_map.ts";
import { nothing } from "./invitation_dialog.ts";
import type { InvitationSDP } from "./invitation_options.ts";
import { lazy } from "./lazy.ts";
import { isPlainSdp } from "./sdp_plain.ts";
import { FrozenSDPSession } from "./sdp_session.ts";

/** What both sides have agreed on. */
export interface Agreement {
  readonly local: () => FrozenSDPSession;
  readonly remote: () => FrozenSDPSession;
}

/** Offer and answer of a call (RFC 3264): what is proposed, and what is agreed on. */
export class InvitationOffers {
  proposedLocal: () => FrozenSDPSession | null = nothing;
  proposedRemote: () => FrozenSDPSession | null = nothing;
  activeLocal: () => FrozenSDPSession | null = nothing;
  activeRemote: () => FrozenSDPSession | null = nothing;
  /** Whether anything was ever agreed on. */
  hasAgreed = false;

  /** As the program sees it, at this moment. */
  get view(): InvitationSDP {
    const { proposedLocal, proposedRemote, activeLocal, activeRemote } = this;
    return {
      get proposedLocal() {
        return proposedLocal();
      },
      get proposedRemote() {
        return proposedRemote();
      },
      get activeLocal() {
        return activeLocal();
      },
      get activeRemote() {
        return activeRemote();
      },
    };
  }

  /**
   * What PJSIP has negotiated, as it prints it. Null when the peer's is none that anybody could read: pjmedia takes more
   * for a description than RFC 8866 does.
   */
  agree(local: Uint8Array, remote: Uint8Array): Agreement | null {
    // As the peer wrote it, where we have that: PJSIP drops what it does not know.
    const proposed = this.proposedRemote;
    // What stays for as long as the call must not keep what came together with it.
    const [ownLocal, ownRemote] = [local.slice(), remote.slice()];
    const theirs = lazy(() => proposed() ?? FrozenSDPSession.tryParse(decodeText(ownRemote)));
    // What nobody asks for is not parsed, but whether it could be has to be known.
    if (!isPlainSdp(ownRemote) && theirs() === null) return null;
    const agreed = {
      local: lazy(() => FrozenSDPSession.parse(decodeText(ownLocal))),
      remote: theirs as () => FrozenSDPSession,
    };
    this.withdraw();
    this.activeLocal = agreed.local;
    this.activeRemote = agreed.remote;
    this.hasAgreed = true;
    return agreed;
  }

  /** Nothing is proposed any more. */
  withdraw(): void {
    this.proposedLocal = nothing;
    this.proposedRemote = nothing;
  }
}
