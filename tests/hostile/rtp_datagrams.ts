// SPDX-License-Identifier: GPL-2.0-or-later
/** What comes to ports of media from somebody who means no good: RTP, RTCP, STUN and DTLS that is nearly right. */
import { createHmac } from "node:crypto";
import { Random } from "./random.ts";

/** What an attacker knows of the ICE session behind a port: all that the description says. */
export interface ICECredentials {
  readonly ufrag: string;
  readonly password: string;
}

const encoder = new TextEncoder();
const cookie = 0x2112a442;

/** The attributes of STUN, TURN and ICE, and some that nobody knows. */
const stunAttributes = [
  0x0001,
  0x0003,
  0x0006,
  0x0008,
  0x0009,
  0x000a,
  0x000c,
  0x000d,
  0x0012,
  0x0013,
  0x0014,
  0x0015,
  0x0016,
  0x0018,
  0x0019,
  0x001a,
  0x0020,
  0x0022,
  0x0024,
  0x0025,
  0x8022,
  0x8023,
  0x8028,
  0x8029,
  0x802a,
  0x802b,
  0x802c,
  0x7fff,
  0xffff,
] as const;

/** Requests, responses, errors and indications of Binding, and the methods of TURN. */
const stunTypes = [
  0x0001,
  0x0011,
  0x0101,
  0x0111,
  0x0003,
  0x0103,
  0x0113,
  0x0004,
  0x0016,
  0x0017,
  0x0008,
  0x0009,
  0x3fff,
  0x0000,
] as const;

/** Makes them one after the other, the same ones for the same seed. */
export class RtpDatagrams {
  readonly #random: Random;
  /** The streams that it pretends to go on with. */
  readonly #streams = Array.from({ length: 4 }, (_, index) => ({ ssrc: 0xbad0 + index, sequence: 0 }));

  constructor(seed: number) {
    this.#random = new Random(seed);
  }

  /** `ice`: the password is known, so that what is signed gets further. */
  next(ice: ICECredentials | null): Uint8Array {
    const random = this.#random;
    const kind = random.below(10);
    const made = kind < 3
      ? this.#rtp()
      : kind < 6
      ? this.#rtcp()
      : kind < 9
      ? this.#stun(ice)
      : random.chance(0.5)
      ? this.#dtls()
      : this.#bytes(random.below(1500));
    return random.chance(0.5) ? made : this.#spoil(made);
  }

  #bytes(size: number): Uint8Array {
    return Uint8Array.from({ length: size }, () => this.#random.below(256));
  }

  #rtp(): Uint8Array {
    const random = this.#random;
    const stream = random.pick(this.#streams);
    if (random.chance(0.9)) stream.sequence++;
    else stream.sequence = random.below(0x10000);
    const packet = this.#bytes(12 + random.pick([0, 1, 4, 20, 33, 60, 160, 160, 320, 1388]));
    const view = new DataView(packet.buffer);
    // Padding, extension and so many CSRCs, or nothing of that.
    packet[0] = 0x80 | (random.chance(0.6) ? 0 : random.below(64));
    packet[1] = random.pick([0, 0, 0, 3, 8, 9, 13, 96, 99, 101, 103, 111, 127, 0x80]);
    view.setUint16(2, stream.sequence & 0xffff);
    view.setUint32(4, stream.sequence * 160);
    view.setUint32(8, random.chance(0.9) ? stream.ssrc : random.below(2 ** 32));
    return packet;
  }

  #rtcp(): Uint8Array {
    const random = this.#random;
    const parts: number[] = [];
    for (let count = 1 + random.below(4); count > 0; count--) {
      const words = random.pick([0, 1, 1, 2, 6, 6, 12, 24, 60]);
      const size = random.chance(0.9) ? words : random.below(0x10000);
      const type = random.pick([200, 201, 202, 203, 204, 205, 206, 207, 192, 209]);
      parts.push(0x80 | random.below(64), type, size >> 8, size & 255, ...this.#bytes(words * 4));
    }
    return Uint8Array.from(parts);
  }

  #attribute(type: number, value: Uint8Array): number[] {
    const size = this.#random.chance(0.95) ? value.length : this.#random.below(0x10000);
    return [type >> 8, type & 255, size >> 8, size & 255, ...value, ...new Uint8Array(-value.length & 3)];
  }

  #stun(ice: ICECredentials | null): Uint8Array {
    const random = this.#random;
    const body: number[] = [];
    const isSigned = ice !== null && random.chance(0.7);
    if (isSigned) {
      body.push(...this.#attribute(0x0006, encoder.encode(`${ice.ufrag}:peer`)));
      if (random.chance(0.8)) body.push(...this.#attribute(0x0024, this.#bytes(4)));
      if (random.chance(0.5)) body.push(...this.#attribute(0x0025, new Uint8Array(0)));
      if (random.chance(0.7)) body.push(...this.#attribute(random.pick([0x8029, 0x802a]), this.#bytes(8)));
    }
    for (let count = random.below(isSigned ? 3 : 8); count > 0; count--) {
      const value = random.chance(0.3) && ice
        ? encoder.encode(`${ice.ufrag}:peer`)
        : this.#bytes(random.pick([0, 1, 4, 4, 8, 8, 20, 20, 64, 300]));
      body.push(...this.#attribute(random.pick(stunAttributes), value));
    }
    const type = isSigned && random.chance(0.8) ? 0x0001 : random.pick(stunTypes);
    const bytes = new Uint8Array(20 + body.length + (isSigned ? 24 : 0));
    const view = new DataView(bytes.buffer);
    view.setUint16(0, type);
    view.setUint16(2, random.chance(0.95) ? bytes.length - 20 : random.below(0x10000));
    view.setUint32(4, random.chance(0.95) ? cookie : random.below(2 ** 32));
    bytes.set(this.#bytes(12), 8);
    bytes.set(body, 20);
    if (isSigned) {
      const at = bytes.length - 24;
      const digest = createHmac("sha1", ice.password).update(bytes.subarray(0, at)).digest();
      view.setUint32(at, 0x00080014);
      bytes.set(digest, at + 4);
    }
    return bytes;
  }

  #dtls(): Uint8Array {
    const random = this.#random;
    const record = this.#bytes(13 + random.below(300));
    record[0] = random.pick([20, 21, 22, 23]);
    record[1] = 0xfe;
    record[2] = random.pick([0xff, 0xfd, 0xfc]);
    new DataView(record.buffer).setUint16(
      11,
      random.chance(0.8) ? record.length - 13 : random.below(0x10000),
    );
    return record;
  }

  /** Changes some bytes, cuts some off or adds some. */
  #spoil(bytes: Uint8Array): Uint8Array {
    const random = this.#random;
    const spoilt = random.chance(0.3)
      ? bytes.slice(0, random.below(bytes.length + 1))
      : random.chance(0.2)
      ? Uint8Array.from([...bytes, ...this.#bytes(random.below(64))])
      : bytes.slice();
    for (let count = random.below(6); count > 0 && spoilt.length > 0; count--) {
      spoilt[random.below(spoilt.length)] = random.pick([0, 1, 0x7f, 0x80, 0xff, random.below(256)]);
    }
    return spoilt;
  }
}
