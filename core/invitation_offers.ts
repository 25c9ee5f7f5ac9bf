// SPDX-License-Identifier: GPL-2.0-or-later
import { decodeText } from "./header_map.ts";
import { nothing } from "./invitation_dialog.ts";
import type { InvitationSDP } from "./invitation_options.ts";
import { lazy } from "./lazy.ts";
import { FrozenSDPSession } from "./sdp_session.ts";

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
  agree(
    local: Uint8Array,
    remote: Uint8Array,
  ): { local: () => FrozenSDPSession; remote: FrozenSDPSession } | null {
    // As the peer wrote it, where we have that: PJSIP drops what it does not know.
    const theirs = this.proposedRemote() ?? FrozenSDPSession.tryParse(decodeText(remote));
    if (theirs === null) return null;
    // It stays for as long as the call, and must not keep what came together with it.
    const ownLocal = local.slice();
    const agreed = { local: lazy(() => FrozenSDPSession.parse(decodeText(ownLocal))), remote: theirs };
    this.withdraw();
    this.activeLocal = agreed.local;
    this.activeRemote = () => theirs;
    this.hasAgreed = true;
    return agreed;
  }

  /** Nothing is proposed any more. */
  withdraw(): void {
    this.proposedLocal = nothing;
    this.proposedRemote = nothing;
  }
}
