// SPDX-License-Identifier: GPL-2.0-or-later
/** A STUN server with two addresses and two ports of each, in front of which stands whatever NAT a test wants. */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import {
  addressValue,
  attributeOf,
  parseStun,
  printStun,
  type StunAddress,
  type StunAttribute,
  stunAttributes,
  type StunMessage,
  stunTypes,
  xorAddressValue,
} from "./stun.ts";

/** 0: 127.0.0.1, 1: 127.0.0.2 (as `changes` of RFC 3489: an address, and one of two ports). */
export interface Place {
  readonly address: 0 | 1;
  readonly port: 0 | 1;
}

/** A request as it came. */
export interface StunArrival {
  readonly request: StunMessage;
  readonly from: StunAddress;
  /** Where it came to. */
  readonly at: Place;
  /** The bits of its CHANGE-REQUEST: 4: another address, 2: another port. */
  readonly change: number;
}

const addresses = ["127.0.0.1", "127.0.0.2"] as const;

/** Where the answer to that comes from by the rules. */
export function answeringPlace({ at, change }: StunArrival): Place {
  return {
    address: (change & 4 ? 1 - at.address : at.address) as 0 | 1,
    port: (change & 2 ? 1 - at.port : at.port) as 0 | 1,
  };
}

/** Ends by `await using`. `onRequest` is given what comes; without it nothing is answered. */
export class StunServer implements AsyncDisposable {
  readonly arrivals: StunArrival[] = [];
  readonly #sockets: readonly (readonly Socket[])[];

  private constructor(sockets: readonly (readonly Socket[])[]) {
    this.#sockets = sockets;
  }

  static async open(onRequest: (server: StunServer, arrival: StunArrival) => void): Promise<StunServer> {
    const sockets: Socket[][] = [[], []];
    // The same two ports of both addresses.
    for (const port of [0, 1] as const) {
      sockets[0]!.push(await bind(addresses[0], 0));
      sockets[1]!.push(await bind(addresses[1], sockets[0]![port]!.address().port));
    }
    const server = new StunServer(sockets);
    for (const [address, row] of sockets.entries()) {
      for (const [port, socket] of row.entries()) {
        socket.on("message", (data, from) => {
          const request = parseStun(data);
          const change = attributeOf(request, stunAttributes.changeRequest)?.[3] ?? 0;
          const arrival = { request, from, at: { address, port } as Place, change };
          server.arrivals.push(arrival);
          onRequest(server, arrival);
        });
      }
    }
    return server;
  }

  /** The port of its first address that it is asked at. */
  get port(): number {
    return this.addressOf({ address: 0, port: 0 }).port;
  }

  addressOf({ address, port }: Place): StunAddress {
    return { address: addresses[address], port: this.#sockets[address]![port]!.address().port };
  }

  /** The attributes of a good answer: where it came from, and the other address. */
  attributes(mapped: StunAddress): StunAttribute[] {
    return [
      [stunAttributes.xorMappedAddress, xorAddressValue(addressValue(mapped))],
      [stunAttributes.otherAddress, addressValue(this.addressOf({ address: 1, port: 1 }))],
    ];
  }

  /** Answers with the mapped address given, by default from where the rules say. */
  answer(
    arrival: StunArrival,
    mapped: StunAddress,
    { place = answeringPlace(arrival), ...message }: Partial<StunMessage> & { place?: Place } = {},
  ): void {
    const { request: { id }, from } = arrival;
    const bytes = printStun({
      type: stunTypes.bindingSuccess,
      id,
      attributes: this.attributes(mapped),
      ...message,
    });
    this.send(place, bytes, from);
  }

  send({ address, port }: Place, bytes: Uint8Array, to: StunAddress): void {
    this.#sockets[address]![port]!.send(bytes, to.port, to.address);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets.flat()) {
      const closed = once(socket, "close");
      socket.close();
      await closed;
    }
  }
}

async function bind(address: string, port: number): Promise<Socket> {
  const socket = createSocket("udp4");
  const listening = once(socket, "listening");
  socket.bind(port, address);
  await listening;
  return socket;
}
