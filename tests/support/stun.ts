// SPDX-License-Identifier: GPL-2.0-or-later
/** STUN messages (RFC 3489, RFC 5389) apart from the library's own. */
import { randomBytes } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";

export const magicCookie = 0x2112a442;

export const stunTypes = {
  bindingRequest: 0x0001,
  bindingSuccess: 0x0101,
  bindingError: 0x0111,
  allocateRequest: 0x0003,
  allocateSuccess: 0x0103,
  allocateError: 0x0113,
} as const;

export const stunAttributes = {
  mappedAddress: 0x0001,
  changeRequest: 0x0003,
  changedAddress: 0x0005,
  username: 0x0006,
  messageIntegrity: 0x0008,
  errorCode: 0x0009,
  realm: 0x0014,
  nonce: 0x0015,
  xorRelayedAddress: 0x0016,
  requestedTransport: 0x0019,
  xorMappedAddress: 0x0020,
  otherAddress: 0x802c,
} as const;

export interface StunAddress {
  readonly address: string;
  readonly port: number;
}

export type StunAttribute = readonly [type: number, value: Uint8Array];

export interface StunMessage {
  readonly type: number;
  /** The 16 bytes after the length: magic cookie and transaction id in one. */
  readonly id: Uint8Array;
  readonly attributes: readonly StunAttribute[];
}

/** A message as bytes. */
export function printStun({ type, id, attributes }: StunMessage): Uint8Array {
  const body = attributes.flatMap(([kind, value]) => {
    const padding = new Uint8Array(-value.length & 3);
    return [...word(kind), ...word(value.length), ...value, ...padding];
  });
  return Uint8Array.from([...word(type), ...word(body.length), ...id, ...body]);
}

/** Reads a datagram that is known to be good. */
export function parseStun(bytes: Uint8Array): StunMessage {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const attributes: StunAttribute[] = [];
  for (let at = 20; at + 4 <= bytes.length;) {
    const length = view.getUint16(at + 2);
    attributes.push([view.getUint16(at), bytes.slice(at + 4, at + 4 + length)]);
    at += 4 + length + (-length & 3);
  }
  return { type: view.getUint16(0), id: bytes.slice(4, 20), attributes };
}

/** A transaction id with the magic cookie of RFC 5389. */
export function stunId(): Uint8Array {
  const id = new Uint8Array(randomBytes(16));
  new DataView(id.buffer).setUint32(0, magicCookie);
  return id;
}

/** The value of MAPPED-ADDRESS and its like. */
export function addressValue({ address, port }: StunAddress): Uint8Array {
  return Uint8Array.from([0, 1, ...word(port), ...address.split(".").map(Number)]);
}

/** The value of XOR-MAPPED-ADDRESS and its like; the same function reads and writes. */
export function xorAddressValue(value: Uint8Array): Uint8Array {
  const mask = [0, 0, 0x21, 0x12, 0x21, 0x12, 0xa4, 0x42];
  return value.map((byte, index) => byte ^ mask[index]!);
}

/** The address in a value of MAPPED-ADDRESS and its like, IPv4. */
export function addressIn(value: Uint8Array): StunAddress {
  return { address: value.slice(4, 8).join("."), port: value[2]! * 256 + value[3]! };
}

export function attributeOf({ attributes }: StunMessage, type: number): Uint8Array | null {
  return attributes.find(([one]) => one === type)?.[1] ?? null;
}

/** A UDP socket on 127.0.0.1 that asks STUN servers. */
export class StunClient implements AsyncDisposable {
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  static async open(): Promise<StunClient> {
    const socket = createSocket("udp4");
    const listening = once(socket, "listening");
    socket.bind(0, "127.0.0.1");
    await listening;
    return new StunClient(socket);
  }

  get port(): number {
    return this.#socket.address().port;
  }

  /** Sends a request and gives the answer to it, and where that came from; rejects after `ms` without one. */
  async ask(
    request: StunMessage,
    { address, port }: StunAddress,
    ms: number = 2000,
  ): Promise<{ answer: StunMessage; from: StunAddress }> {
    const { promise, resolve, reject } = Promise.withResolvers<{ answer: StunMessage; from: StunAddress }>();
    const take = (data: Uint8Array, from: StunAddress): void => {
      const answer = parseStun(data);
      if (answer.id.join() !== request.id.join()) return;
      resolve({ answer, from: { address: from.address, port: from.port } });
    };
    this.#socket.on("message", take);
    const timer = setTimeout(
      () => reject(new Error(`${address}:${port} did not answer within ${ms} ms`)),
      ms,
    );
    try {
      this.#socket.send(printStun(request), port, address);
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#socket.off("message", take);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#socket, "close");
    this.#socket.close();
    await closed;
  }
}

function word(value: number): [number, number] {
  return [value >> 8, value & 255];
}
