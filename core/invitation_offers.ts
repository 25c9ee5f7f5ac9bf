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

  /** What PJSIP has negotiated, as it prints it. */
  agree(
    local: Uint8Array,
    remote: Uint8Array,
  ): { local: () => FrozenSDPSession; remote: () => FrozenSDPSession } {
    const proposed = this.proposedRemote;
    // They stay for as long as the call, and must not keep what came together with them.
    const [ownLocal, ownRemote] = [local.slice(), remote.slice()];
    const agreed = {
      local: lazy(() => parse(ownLocal)),
      // As the peer wrote it, where we have that: PJSIP drops what it does not know.
      remote: lazy(() => proposed() ?? parse(ownRemote)),
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

function parse(text: Uint8Array): FrozenSDPSession {
  return FrozenSDPSession.parse(decodeText(text));
}
