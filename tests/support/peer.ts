// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A SIP peer that does what a test tells it: UDP on 127.0.0.1, nothing by itself, no retransmission, no state machine.
 * What it sends may be as wrong as the test wants.
 */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { cseqOf, header, parseMessage, type PeerMessage, printMessage, tagOf, uriOf } from "./sip_text.ts";

export type { PeerMessage };

type Headers = Readonly<Record<string, string | readonly string[]>>;

export interface PeerOptions {
  /** Also a datagram that repeats an earlier one, byte for byte, is a message for `next()`. */
  readonly keepRetransmissions?: boolean;
  /** Left out: any free one. */
  readonly port?: number;
}

/** What `next()` waits for; without any of these the next message, whatever it is. */
export interface Wanted {
  readonly method?: string;
  readonly code?: number;
  /** The method in CSeq, to tell the 200 of one request from the 200 of another. */
  readonly cseqMethod?: string;
  readonly callId?: string;
  /** 4000 when left out: less than a runner gives a test. */
  readonly timeoutMs?: number;
}

export interface ResponseOptions {
  readonly reason?: string;
  /** Beside or instead of the ones that a response has. */
  readonly headers?: Headers;
  readonly body?: string;
  /** "application/sdp" when left out. */
  readonly contentType?: string;
  /** null: none. Left out: the same tag for one dialog, none in a 100. */
  readonly toTag?: string | null;
}

/** Where a request belongs: the dialog as this peer sees it. */
export interface PeerDialog {
  /** The remote target. */
  readonly uri: string;
  /** From and To values as this peer writes them. */
  readonly from: string;
  readonly to: string;
  readonly callId: string;
  readonly route: readonly string[];
  /** Where to send it. */
  readonly port: number;
}

export interface RequestOptions {
  /** The request URI. */
  readonly uri: string;
  /** The port on 127.0.0.1; the one in the URI when left out. */
  readonly port?: number;
  readonly from?: string;
  /** The request URI when left out. */
  readonly to?: string;
  readonly callId?: string;
  /** One more than the last one with this Call-ID when left out. */
  readonly cseq?: number;
  readonly branch?: string;
  readonly route?: readonly string[];
  readonly headers?: Headers;
  readonly body?: string;
  /** "application/sdp" when left out. */
  readonly contentType?: string;
}

interface Waiter {
  readonly wanted: Wanted;
  readonly resolve: (message: PeerMessage) => void;
  readonly reject: (error: Error) => void;
}

let count = 0;

/** Something that no other message has. */
function unique(): string {
  return `${(++count).toString(36)}x${Math.random().toString(36).slice(2, 10)}`;
}

const withContact = /^(INVITE|UPDATE|SUBSCRIBE|NOTIFY|REFER)$/;

function fits(message: PeerMessage, { method, code, cseqMethod, callId }: Wanted): boolean {
  return (callId === undefined || header(message, "Call-ID") === callId) &&
    (method === undefined || message.method === method) &&
    (code === undefined || message.code === code) &&
    (cseqMethod === undefined || cseqOf(message).method === cseqMethod);
}

/** The same for what is wanted, as the error that nothing came says it. */
function words({ method, code, cseqMethod, callId }: Wanted): string {
  return [method, code, cseqMethod && `(${cseqMethod})`, callId && `of ${callId}`].filter(Boolean).join(
    " ",
  ) || "message";
}

/**
 * One peer on a port of its own.
 *
 * ```ts
 * await using peer = await Peer.open();
 * const invite = await peer.next({ method: "INVITE" });
 * peer.respond(invite, 486);
 * await peer.next({ method: "ACK" });
 * ```
 */
export class Peer implements AsyncDisposable {
  /** All that came, in order, retransmissions too. */
  readonly received: PeerMessage[] = [];
  readonly #socket: Socket;
  readonly #keepRetransmissions: boolean;
  readonly #queue: PeerMessage[] = [];
  readonly #waiters: Waiter[] = [];
  readonly #sent: PeerMessage[] = [];
  readonly #seen: Set<string> = new Set();
  readonly #tags: Map<string, string> = new Map();
  readonly #cseqs: Map<string, number> = new Map();
  #sending: Promise<void> = Promise.resolve();
  #broken: Error | null = null;
  #closed = false;

  private constructor(socket: Socket, keepRetransmissions: boolean) {
    this.#socket = socket;
    this.#keepRetransmissions = keepRetransmissions;
    socket.on("message", (data, { address, port }) => this.#take(data.toString("utf8"), address, port));
  }

  static async open({ keepRetransmissions = false, port = 0 }: PeerOptions = {}): Promise<Peer> {
    const socket = createSocket("udp4");
    const listening = once(socket, "listening");
    socket.bind(port, "127.0.0.1");
    await listening;
    return new Peer(socket, keepRetransmissions);
  }

  get port(): number {
    return this.#socket.address().port;
  }

  /** Its address as a URI: `sip:peer@127.0.0.1:PORT`. */
  get uri(): string {
    return `sip:peer@127.0.0.1:${this.port}`;
  }

  /** The messages that have come and that no `next()` has taken. */
  get pending(): readonly PeerMessage[] {
    return this.#queue;
  }

  /**
   * Takes the first message that fits, waiting for it if need be; others stay for later calls.
   *
   * @throws Error with what came instead when none does within `timeoutMs`, something came that is no SIP message, or
   * the peer is closed.
   */
  async next(wanted: Wanted = {}): Promise<PeerMessage> {
    const at = this.#queue.findIndex((message) => fits(message, wanted));
    if (at >= 0) return this.#queue.splice(at, 1)[0]!;
    if (this.#broken) throw this.#broken;
    const { promise, resolve, reject } = Promise.withResolvers<PeerMessage>();
    const waiter = { wanted, resolve, reject };
    this.#waiters.push(waiter);
    const { timeoutMs = 4000 } = wanted;
    const timer = setTimeout(() => {
      const got = this.#queue.map(({ startLine }) => `\n  ${startLine}`).join("") || " nothing";
      reject(new Error(`No ${words(wanted)} within ${timeoutMs} ms; waiting were:${got}`));
    }, timeoutMs);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      const index = this.#waiters.indexOf(waiter);
      if (index >= 0) this.#waiters.splice(index, 1);
    }
  }

  /** Answers a request that came; returns what was sent. */
  respond(request: PeerMessage, code: number, options: ResponseOptions = {}): PeerMessage {
    const { reason = "Scripted", body = "", contentType = "application/sdp" } = options;
    const copied = ["via", "record-route"].flatMap((name) =>
      (request.headers.get(name) ?? []).map((value) => [name, value] as const)
    );
    const isContact = code > 100 && code < 300 && withContact.test(request.method ?? "");
    return this.#print(`SIP/2.0 ${code} ${reason}`, [
      ...copied,
      ["From", header(request, "From")],
      ["To", this.#toOf(request, code, options.toTag)],
      ["Call-ID", header(request, "Call-ID")],
      ["CSeq", header(request, "CSeq")],
      ...(isContact ? [["Contact", `<${this.uri}>`] as const] : []),
      ...(body === "" ? [] : [["Content-Type", contentType] as const]),
    ], { headers: options.headers, body, port: request.port });
  }

  /** Sends a request; returns what was sent. */
  request(method: string, options: RequestOptions): PeerMessage {
    const { uri, body = "", contentType = "application/sdp", route = [] } = options;
    const callId = options.callId ?? unique();
    const cseq = options.cseq ?? (this.#cseqs.get(callId) ?? 0) + 1;
    // An ACK and a CANCEL have the number of their INVITE.
    if (method !== "ACK" && method !== "CANCEL") this.#cseqs.set(callId, cseq);
    const branch = options.branch ?? `z9hG4bK${unique()}`;
    return this.#print(`${method} ${uri} SIP/2.0`, [
      ["Via", `SIP/2.0/UDP 127.0.0.1:${this.port};rport;branch=${branch}`],
      ["Max-Forwards", "70"],
      ["From", options.from ?? `<${this.uri}>;tag=${unique()}`],
      ["To", options.to ?? `<${uri}>`],
      ["Call-ID", callId],
      ["CSeq", `${cseq} ${method}`],
      ...(withContact.test(method) ? [["Contact", `<${this.uri}>`] as const] : []),
      ...route.map((value) => ["Route", value] as const),
      ...(body === "" ? [] : [["Content-Type", contentType] as const]),
    ], { headers: options.headers, body, port: options.port ?? portOf(uri) });
  }

  /**
   * Acknowledges the final response to an INVITE of this peer: to the Contact and along the route for a 2xx, in the
   * transaction of the INVITE for any other.
   */
  ack(
    response: PeerMessage,
    options: Pick<RequestOptions, "headers" | "body" | "contentType"> = {},
  ): PeerMessage {
    const invite = this.#inviteOf(response);
    const cseq = cseqOf(response).number;
    if (response.code! < 300) return this.request("ACK", { ...this.dialog(response), ...options, cseq });
    return this.request("ACK", { ...this.#sameTransaction(invite), to: header(response, "To"), ...options });
  }

  /** Cancels an INVITE that this peer has sent. */
  cancel(invite: PeerMessage, headers: Headers = {}): PeerMessage {
    return this.request("CANCEL", { ...this.#sameTransaction(invite), headers });
  }

  /**
   * The dialog of a message, for the `request()`s within: a response that came to a request of this peer, or a request
   * that came and that this peer has answered with a tag.
   */
  dialog(message: PeerMessage): PeerDialog {
    const callId = header(message, "Call-ID");
    const route = [...message.headers.get("record-route") ?? []];
    const [from, to] = [header(message, "From"), header(message, "To")];
    const uri = uriOf(message.headers.get("contact")?.[0] ?? (message.code === null ? from : to));
    if (message.code !== null) {
      return { uri, from, to, callId, route: route.reverse(), port: message.port };
    }
    return { uri, from: this.#toOf(message, 200, undefined), to: from, callId, route, port: message.port };
  }

  /** Sends a text as it is, to a port on 127.0.0.1. */
  send(text: string | Uint8Array, port: number): void {
    // One after the other: where sending is asynchronous, two datagrams may overtake each other.
    this.#sending = this.#sending.then(() => {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#socket.send(text, port, "127.0.0.1", () => resolve());
      return promise;
    });
  }

  /** Ends the waits, sends what was to be sent, and gives the port back; quiet the second time. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#break(new Error("The peer was closed"));
    await this.#sending;
    const closed = once(this.#socket, "close");
    this.#socket.close();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #take(text: string, address: string, port: number): void {
    // What keeps a NAT open is no message.
    if (text.trim() === "") return;
    let message: PeerMessage;
    try {
      message = parseMessage(text, address, port);
    } catch (error) {
      return this.#break(error as Error);
    }
    this.received.push(message);
    const key = `${port} ${text}`;
    if (this.#seen.has(key) && !this.#keepRetransmissions) return;
    this.#seen.add(key);
    const waiter = this.#waiters.find(({ wanted }) => fits(message, wanted));
    if (!waiter) return void this.#queue.push(message);
    // A second message that comes before the first one's reader has run is not for the same reader.
    this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
    waiter.resolve(message);
  }

  #break(error: Error): void {
    this.#broken ??= error;
    for (const { reject } of this.#waiters) reject(error);
  }

  #print(
    startLine: string,
    headers: readonly (readonly [string, string])[],
    rest: { readonly headers: Headers | undefined; readonly body: string; readonly port: number },
  ): PeerMessage {
    const own = Object.entries(rest.headers ?? {}).flatMap(([name, value]) =>
      (typeof value === "string" ? [value] : value).map((one) => [name, one] as const)
    );
    const replaced = new Set(own.map(([name]) => name.toLowerCase()));
    const kept = headers.filter(([name]) => !replaced.has(name.toLowerCase()));
    const text = printMessage(startLine, [...kept, ...own], rest.body);
    const message = parseMessage(text, "127.0.0.1", rest.port);
    this.#sent.push(message);
    this.send(text, rest.port);
    return message;
  }

  #toOf(request: PeerMessage, code: number, tag: string | null | undefined): string {
    const to = header(request, "To");
    if (tagOf(to) !== null || tag === null || (tag === undefined && code === 100)) return to;
    const dialog = `${header(request, "Call-ID")} ${tagOf(header(request, "From"))}`;
    const known = tag ?? this.#tags.get(dialog) ?? unique();
    this.#tags.set(dialog, known);
    return `${to};tag=${known}`;
  }

  #inviteOf(response: PeerMessage): PeerMessage {
    const callId = header(response, "Call-ID");
    const { number } = cseqOf(response);
    const found = this.#sent.find((message) =>
      message.method === "INVITE" && header(message, "Call-ID") === callId &&
      cseqOf(message).number === number
    );
    if (!found) throw new Error(`This peer has sent no INVITE to which came\n${response.text}`);
    return found;
  }

  #sameTransaction(invite: PeerMessage): RequestOptions {
    return {
      uri: invite.uri!,
      port: invite.port,
      from: header(invite, "From"),
      to: header(invite, "To"),
      callId: header(invite, "Call-ID"),
      cseq: cseqOf(invite).number,
      branch: /branch=([^;\s]+)/.exec(header(invite, "Via"))![1]!,
      route: invite.headers.get("route") ?? [],
    };
  }
}

function portOf(uri: string): number {
  return Number(/:(\d+)(?:[;?]|$)/.exec(uri)?.[1] ?? 5060);
}
