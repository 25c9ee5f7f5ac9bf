// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Finds the type of the NAT in front of this machine.
 *
 * Not pjnath's `pj_stun_detect_nat_type`: that of 2.17 takes forged answers (it looks at no source, and its transaction
 * ids come from `rand()`), cannot be told to stop, and must be handed an address, so that the names would have to be
 * resolved here anyway. On node:dgram the whole is this page.
 */
import { randomBytes } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { runtime } from "../ffi/runtime.ts";
import {
  type BindingAnswer,
  bindingRequest,
  canonicalAddress,
  changeAddressAndPort,
  changePort,
  readBindingAnswer,
  type STUNAddress,
} from "./stun_message.ts";

/**
 * The type of a NAT, in the words of pjnath's `pj_stun_get_nat_name` and of RFC 3489, section 5.
 *
 * - "Open": no NAT and no firewall.
 * - "Blocked": nothing comes back from the server: UDP is blocked, or nobody is there.
 * - "Symmetric UDP": no NAT, and a firewall that lets in only what was asked for.
 * - "Full Cone": what is sent to our mapped address gets in, from anywhere.
 * - "Restricted": only from addresses, "Port Restricted": only from addresses and ports that we have sent to.
 * - "Symmetric": another mapped address for each address that we send to.
 * - "ErrUnknown": the server's other address did not answer: "Symmetric" or "Port Restricted".
 */
export type NATType =
  | "Open"
  | "Blocked"
  | "Symmetric UDP"
  | "Full Cone"
  | "Symmetric"
  | "Restricted"
  | "Port Restricted"
  | "ErrUnknown";

/**
 * How long is waited after each sending of a test's request, in ms: RFC 3489's pauses, and half as many of them. A test
 * that nobody answers takes 2.3 s; three at most come one after the other.
 */
const pauses = [100, 200, 400, 800, 800];

/** One test: a request that is answered, or not. */
interface Test {
  /** Where the answer must come from. */
  readonly from: STUNAddress;
  readonly change: number;
  readonly resolve: (answer: BindingAnswer | null) => void;
  timer: ReturnType<typeof setTimeout> | undefined;
}

/**
 * Runs the tests of RFC 3489, section 10.1 against a server that knows RFC 3489 or RFC 5780.
 *
 * @param bindAddress the local address to send from, null: any.
 * @param localAddress the local address that packets to the server leave from.
 * @throws Error with a text for people; the signal's reason.
 */
export async function findNatType(
  server: STUNAddress,
  bindAddress: string | null,
  localAddress: string,
  signal: AbortSignal,
): Promise<NATType> {
  signal.throwIfAborted();
  const isIPv6 = server.address.includes(":");
  const address = bindAddress ?? (isIPv6 ? "::" : "0.0.0.0");
  if (!runtime.mayBind(address)) throw new Error(`Sending from ${address} needs the permission --allow-net`);
  const socket = createSocket(isIPv6 ? "udp6" : "udp4");
  using prober = new Prober(socket, server);
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  const listening = once(socket, "listening");
  listening.catch(() => {}); // the prober has the error too
  socket.bind(0, address);
  const found = listening.then(() =>
    prober.findType({ address: canonicalAddress(localAddress), port: socket.address().port })
  );
  return await Promise.race([found, prober.failed, aborted]);
}

class Prober implements Disposable {
  /** Rejects when nothing can be found out. */
  readonly failed: Promise<never>;
  readonly #fail: (error: Error) => void;
  readonly #socket: Socket;
  readonly #server: STUNAddress;
  readonly #tests: Map<string, Test> = new Map();
  #hasGarbage = false;

  constructor(socket: Socket, server: STUNAddress) {
    const { promise, reject } = Promise.withResolvers<never>();
    promise.catch(() => {});
    [this.failed, this.#fail] = [promise, reject];
    [this.#socket, this.#server] = [socket, server];
    socket.on("error", reject).on("message", (datagram, { address, port }) => {
      this.#take(datagram, { address: canonicalAddress(address), port });
    });
  }

  async findType(local: STUNAddress): Promise<NATType> {
    const server = this.#server;
    const first = await this.#test(server, 0, server);
    if (first === null) {
      if (this.#hasGarbage) throw new Error("What answers there is no STUN server");
      return "Blocked";
    }
    const { other } = first;
    if (other === null || other.address === server.address || other.port === server.port) {
      throw new Error("The STUN server has no second address to test with (RFC 5780)");
    }
    const fromElsewhere = this.#test(server, changeAddressAndPort, other);
    const fromOtherPort = this.#test(server, changePort, { ...server, port: other.port });
    const isReached = await fromElsewhere !== null;
    if (isSame(first.mapped, local)) return isReached ? "Open" : "Symmetric UDP";
    if (isReached) return "Full Cone";
    // Not before: the NAT lets answers from there in once something was sent there.
    const second = await this.#test(other, 0, other);
    if (second !== null && !isSame(second.mapped, first.mapped)) return "Symmetric";
    if (await fromOtherPort !== null) return "Restricted";
    return second === null ? "ErrUnknown" : "Port Restricted";
  }

  /** Resolves with the answer that comes from `from`, or with null when none does in time. */
  #test(to: STUNAddress, change: number, from: STUNAddress): Promise<BindingAnswer | null> {
    const id = randomBytes(12);
    const request = bindingRequest(id, change);
    const { promise, resolve } = Promise.withResolvers<BindingAnswer | null>();
    const test: Test = { from, change, resolve, timer: undefined };
    const key = id.join();
    this.#tests.set(key, test);
    let count = 0;
    const send = (): void => {
      if (count === pauses.length) return this.#end(key, null);
      this.#socket.send(request, to.port, to.address, (error) => error && this.#fail(error));
      test.timer = setTimeout(send, pauses[count++]);
    };
    send();
    return promise;
  }

  #end(key: string, answer: BindingAnswer | null): void {
    const test = this.#tests.get(key)!;
    this.#tests.delete(key);
    clearTimeout(test.timer);
    test.resolve(answer);
  }

  #take(datagram: Uint8Array, from: STUNAddress): void {
    const answer = readBindingAnswer(datagram);
    const isServer = isSame(from, this.#server);
    if (answer === null) {
      this.#hasGarbage ||= isServer;
      return;
    }
    // Nobody but the one who was asked knows the id. Whoever knows it and is elsewhere is not believed either.
    const test = this.#tests.get(answer.id);
    if (test === undefined) return;
    const isExpected = isSame(from, test.from);
    if (answer.error !== null) {
      if (isServer || isExpected) this.#fail(new Error(`The STUN server answers with error ${answer.error}`));
    } else if (isExpected) {
      this.#end(answer.id, answer);
    } else if (isServer && test.change !== 0) {
      this.#fail(new Error("The STUN server does not answer from its other address when asked to"));
    }
  }

  [Symbol.dispose](): void {
    for (const { timer } of this.#tests.values()) clearTimeout(timer);
    this.#tests.clear();
    this.#socket.close();
  }
}

function isSame(one: STUNAddress | null, two: STUNAddress | null): boolean {
  return one?.address === two?.address && one?.port === two?.port;
}
