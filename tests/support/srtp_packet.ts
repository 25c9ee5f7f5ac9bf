// SPDX-License-Identifier: GPL-2.0-or-later
/** SRTP by its RFC (3711), apart from libsrtp: AES_CM_128_HMAC_SHA1_80 and no other. */
import { createCipheriv, createHmac } from "node:crypto";

function keystream(key: Uint8Array, counter: Uint8Array, data: Uint8Array): Uint8Array {
  return new Uint8Array(createCipheriv("aes-128-ctr", key, counter).update(data));
}

/** Section 4.3.1, with a key derivation rate of 0. */
function derive(master: Uint8Array, label: number, size: number): Uint8Array {
  const counter = new Uint8Array(16);
  counter.set(master.subarray(16, 30));
  counter[7]! ^= label;
  return keystream(master.subarray(0, 16), counter, new Uint8Array(size));
}

/** Protects an RTP packet without extensions; `master` is key and salt, 30 bytes, `rollovers` how often the sequence has begun anew. */
export function protect(packet: Uint8Array, master: Uint8Array, rollovers: number): Uint8Array {
  const counter = new Uint8Array(16);
  counter.set(derive(master, 2, 14));
  const index = new Uint8Array(6);
  new DataView(index.buffer).setUint32(0, rollovers);
  index.set(packet.subarray(2, 4), 4);
  for (let at = 0; at < 4; at++) counter[4 + at]! ^= packet[8 + at]!;
  for (let at = 0; at < 6; at++) counter[8 + at]! ^= index[at]!;
  const header = packet.subarray(0, 12);
  const sound = keystream(derive(master, 0, 16), counter, packet.subarray(12));
  const tag = createHmac("sha1", derive(master, 1, 20)).update(header).update(sound).update(
    index.subarray(0, 4),
  );
  return new Uint8Array([...header, ...sound, ...tag.digest().subarray(0, 10)]);
}
