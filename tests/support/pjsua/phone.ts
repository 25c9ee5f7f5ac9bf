// SPDX-License-Identifier: GPL-2.0-or-later
/** The calls of the program: what pjsua does with them by itself or on command, and what it says of it. */
import {
  AudioMixer,
  type BaseHeader,
  type BaseSDPSession,
  Credentials,
  type DialogID,
  FromHeader,
  Header,
  type HeaderMap,
  Invitation,
  type InvitationStateChange,
  NotificationCenter,
  PJSIPError,
  RouteHeader,
  SIPCoreInvalidStateError,
  SIPURI,
  ToHeader,
} from "../../../mod.ts";
import { CallMedia, Refusal } from "./call_media.ts";
import type { PjsuaOptions } from "./options.ts";

interface Call {
  readonly id: number;
  readonly invitation: Invitation;
  readonly media: CallMedia;
  /** The call whose transfer made this one. */
  readonly transferred: Invitation | null;
  isOnHold: boolean;
  /** The peer has taken several codecs of ours: it is asked again for this one alone. */
  lockedCodec: string | null;
}

const stateNames: Readonly<Record<string, string>> = {
  outgoing: "CALLING",
  incoming: "INCOMING",
  early: "EARLY",
  connecting: "CONNECTING",
  connected: "CONFIRMED",
};

const holds: Readonly<Record<string, string>> = {
  sendonly: "Local hold",
  recvonly: "Remote hold",
  inactive: "Local hold", // both
};

export class Phone {
  readonly #options: PjsuaOptions;
  readonly #codecs: readonly string[];
  readonly #say: (line: string) => void;
  readonly #mixer: AudioMixer = new AudioMixer(null, null, { sampleRate: 8000 });
  readonly #calls: Map<Invitation, Call> = new Map();
  #count = 0;
  #current: Call | null = null;

  constructor(options: PjsuaOptions, codecs: readonly string[], say: (line: string) => void) {
    this.#options = options;
    this.#codecs = codecs.filter((name) => name.toLowerCase() !== options.withoutCodec?.toLowerCase());
    this.#say = say;
    const center = new NotificationCenter();
    center.addObserver(({ sender, data }) => this.#changed(sender, data), {
      name: "SIPInvitationChangedState",
    });
    center.addObserver(({ sender, data }) => {
      const call = this.#calls.get(sender);
      if (call && data.succeeded) this.#agreed(call, data.localSdp, data.remoteSdp);
      // As pjsua does: without a description there is no call.
      else if (call && sender.sdp.activeLocal === null && sender.state !== "disconnected") this.#end(call);
    }, { name: "SIPInvitationGotSDPUpdate" });
    center.addObserver(({ sender, data }) => this.#wasReferred(sender, data.headers), {
      name: "SIPInvitationTransferNewIncoming",
    });
    center.addObserver(({ data }) => this.#say(`Subscription state REFER ${data.state}`), {
      name: "SIPInvitationTransferChangedState",
    });
    center.addObserver(({ sender }) => {
      this.#say("Call 0: call transferred successfully, disconnecting call");
      sender.end();
    }, { name: "SIPInvitationTransferDidEnd" });
  }

  /** Calls; `transferred` is told how it goes. */
  call(target: string, transferred: Invitation | null = null): void {
    const uri = SIPURI.parse(target);
    const headers: BaseHeader[] = [];
    for (const [name, body] of uri.headers) headers.push(new Header(name, body ?? ""));
    uri.headers.clear();
    const invitation = new Invitation();
    const call = this.#add(invitation, transferred);
    if (this.#options.has("use-100rel")) headers.push(new Header("Supported", "100rel"));
    const me = this.#options.id ?? `sip:127.0.0.1:${this.#options.localPort}`;
    const [credentials] = this.#options.credentials;
    invitation.sendInvite({
      requestUri: uri,
      fromHeader: new FromHeader(SIPURI.parse(me)),
      toHeader: new ToHeader(uri),
      routeHeader: RouteHeader.to({ address: "127.0.0.1", port: uri.port ?? 5060 }),
      sdp: call.media.offer(),
      extraHeaders: headers,
      credentials: credentials
        ? new Credentials(credentials.username, credentials.password, { realm: credentials.realm })
        : null,
      sessionTimer: this.#options.sessionTimer ?? {},
    });
  }

  #add(invitation: Invitation, transferred: Invitation | null): Call {
    const media = new CallMedia(this.#options, this.#mixer, this.#codecs);
    const call: Call = {
      id: this.#count++,
      invitation,
      media,
      transferred,
      isOnHold: false,
      lockedCodec: null,
    };
    this.#calls.set(invitation, call);
    this.#current ??= call;
    return call;
  }

  /** Does what a command of the console says; false when there is none of this name. */
  command(text: string): boolean {
    const [, name = "", argument = ""] = text.match(/^(?:call )?(\S+)(?: (.*))?$/) ?? [];
    const call = this.#current;
    if (name === "new") this.call(argument);
    else if (!call) return false;
    else if (name === "answer") this.#answer(call, Number(argument));
    else if (name === "hangup" || name === "h") this.#end(call);
    else if (name === "hold" || name === "H") this.#hold(call);
    else if (name === "reinvite" || name === "v") call.invitation.sendReinvite({ sdp: call.media.offer() });
    else if (name === "next") this.#next(call);
    else if (name === "transfer") call.invitation.transfer(SIPURI.parse(argument));
    else if (name === "transfer_replaces") this.#transferTo(call, Number(argument));
    else return false;
    return true;
  }

  #hold(call: Call): void {
    call.isOnHold = true;
    call.invitation.sendReinvite({ sdp: call.media.offer({ direction: "sendonly" }) });
  }

  #next(call: Call): void {
    const calls = [...this.#calls.values()];
    this.#current = calls[(calls.indexOf(call) + 1) % calls.length]!;
  }

  #transferTo(call: Call, id: number): void {
    const other = [...this.#calls.values()].find((one) => one.id === id);
    if (!other) throw new Error(`there is no call ${id}`);
    const target = new SIPURI(other.invitation.remoteContactHeader?.uri ?? other.invitation.requestUri!);
    call.invitation.transfer(target, { replacedDialogId: other.invitation.dialogId });
  }

  #end(call: Call): void {
    if (call.invitation.state !== "disconnecting") call.invitation.end();
  }

  #answer(call: Call, code: number): void {
    const { invitation, media } = call;
    const offer = invitation.sdp.proposedRemote;
    try {
      const hasAnswered = invitation.sdp.activeLocal !== null || invitation.sdp.proposedLocal !== null;
      const sdp = code <= 180 || code >= 300 || hasAnswered
        ? null
        : offer === null
        ? media.offer()
        : media.answer(offer);
      const isReliable = this.#options.has("use-100rel") && code > 100 && code < 200;
      invitation.sendResponse(code, {
        sdp,
        extraHeaders: isReliable ? [new Header("Require", "100rel")] : [],
        sessionTimer: code >= 200 && code < 300 ? this.#options.sessionTimer : null,
      });
    } catch (error) {
      this.#refuse(invitation, error);
    }
  }

  #refuse(invitation: Invitation, error: unknown): void {
    if (error instanceof Refusal) invitation.sendResponse(error.code);
    else if (error instanceof PJSIPError) invitation.sendResponse(488, { reason: "Not Acceptable Here" });
    else throw error;
  }

  #cameIn(invitation: Invitation, headers: HeaderMap): void {
    const replaces = headers.getAll("Replaces");
    const least = Number(headers.text("Session-Expires")?.split(";")[0] ?? Infinity);
    const timer = this.#options.sessionTimer;
    if (replaces.length > 1) return invitation.sendResponse(400);
    if (timer && least < timer.minSe) {
      return invitation.sendResponse(422, { extraHeaders: [new Header("Min-SE", String(timer.minSe))] });
    }
    let replaced: Call | undefined;
    if (replaces[0]) {
      replaced = this.#named(headers.text("Replaces") ?? "");
      if (!replaced) return invitation.sendResponse(481);
      this.#say(`Call ${replaced.id} is being replaced`);
    } else if (this.#calls.size >= this.#options.maxCalls) {
      return invitation.sendResponse(486);
    }
    const call = this.#add(invitation, null);
    this.#say(`Incoming call for account 0!\nPress a to answer or h to reject call`);
    if (replaced) {
      this.#answer(call, 200);
      this.#end(replaced);
    } else if (this.#options.autoAnswer !== null) this.#answer(call, this.#options.autoAnswer);
  }

  /** The call that a Replaces header means (RFC 3891); to-tag is ours. */
  #named(replaces: string): Call | undefined {
    const [callId, ...parameters] = replaces.split(";").map((part) => part.trim());
    const tag = (name: string) =>
      parameters.find((one) => one.startsWith(`${name}=`))?.slice(name.length + 1);
    const isMeant = (id: DialogID | null) =>
      id !== null && id.callId === callId && id.localTag === tag("to-tag") &&
      id.remoteTag === tag("from-tag");
    return [...this.#calls.values()].find(({ invitation }) => isMeant(invitation.dialogId));
  }

  #changed(invitation: Invitation, data: InvitationStateChange): void {
    if (data.state === "incoming") return this.#cameIn(invitation, data.headers);
    const call = this.#calls.get(invitation);
    if (!call) return;
    if (data.state === "disconnected") {
      this.#calls.delete(invitation);
      call.media.close();
      if (this.#current === call) this.#current = [...this.#calls.values()].at(-1) ?? null;
      this.#say(`Call ${call.id} is DISCONNECTED [reason=${data.code ?? 0} (${data.reason ?? ""})]`);
    } else if (data.state !== data.prevState || data.state === "early") {
      this.#say(`Call ${call.id} state changed to ${stateNames[data.state ?? ""] ?? data.state}`);
    }
    this.#tell(call, data);
    const isOffered = data.state === "connecting" && invitation.direction === "outgoing" &&
      invitation.sdp.proposedRemote !== null && invitation.sdp.activeLocal === null;
    if (isOffered) invitation.sendAck(call.media.answer(invitation.sdp.proposedRemote!));
    if (data.subState === "received_proposal" || data.subState === "received_proposal_request") {
      this.#answerProposal(call);
    }
    if (data.state === "connected" && data.prevState !== "connected" && call.lockedCodec !== null) {
      invitation.sendReinvite({ sdp: call.media.offer({ codecs: [call.lockedCodec] }) });
    }
  }

  #answerProposal({ invitation, media }: Call): void {
    const offer = invitation.sdp.proposedRemote;
    try {
      invitation.sendResponse(200, { sdp: offer === null ? media.offer() : media.answer(offer) });
    } catch (error) {
      // The peer was faster.
      if (!(error instanceof SIPCoreInvalidStateError)) this.#refuse(invitation, error);
    }
  }

  #agreed(call: Call, local: BaseSDPSession, remote: BaseSDPSession): void {
    let started;
    try {
      started = call.media.start(local, remote);
    } catch (error) {
      if (!(error instanceof PJSIPError)) throw error;
      this.#say(`Unable to create media session: ${error.message}`);
      return this.#end(call);
    }
    const { index, codec } = started;
    const codecs = remote.media[index]?.codecList.filter(({ name }) => name !== "telephone-event") ?? [];
    call.lockedCodec = codec !== null && codecs.length > 1 && call.invitation.direction === "outgoing"
      ? codec
      : null;
    const direction = local.media[index]?.direction ?? "sendrecv";
    const status = holds[direction] ?? "Active";
    this.#say(`Call ${call.id} media ${index} [type=audio], status is ${status}`);
    if (codec) this.#say(`Audio updated, stream #${index}: ${codec} (${direction})`);
  }

  #wasReferred(invitation: Invitation, headers: HeaderMap): void {
    const uri = String(headers.get("Refer-To")?.uri ?? "");
    this.#say(`Call ${this.#calls.get(invitation)?.id} is being transferred to ${uri}`);
    this.call(uri, invitation);
  }

  /** The peer that has asked for this call hears how it goes. */
  #tell({ transferred }: Call, { state, code }: InvitationStateChange): void {
    if (transferred?.transferState !== "ACTIVE") return;
    if (state === "early") transferred.notifyTransferProgress(code ?? 180);
    else if (state === "connected") transferred.notifyTransferProgress(200);
    else if (state === "disconnected") transferred.notifyTransferProgress(Math.max(300, code ?? 500));
  }

  close(): void {
    for (const { media } of this.#calls.values()) media.close();
    this.#mixer.close();
  }
}
