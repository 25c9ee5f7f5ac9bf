// SPDX-License-Identifier: GPL-2.0-or-later
/** The little of STUN (RFC 5389, RFC 5780) that finding the type of a NAT takes. */

export interface STUNAddress {
  /** In the form of {@linkcode canonicalAddress}. */
  readonly address: string;
  readonly port: number;
}

/** An answer to a binding request. */
export interface BindingAnswer {
  /** The transaction id, its bytes joined by commas. */
  readonly id: string;
  /** The code of an error response; null: it is a success. */
  readonly error: number | null;
  /** Where the request came from. */
  readonly mapped: STUNAddress | null;
  /** The server's other address and its other port. */
  readonly other: STUNAddress | null;
}

/** What CHANGE-REQUEST may ask for. */
export const changePort = 2;
export const changeAddressAndPort = 6;

const headerSize = 20;
const magicCookie = 0x2112a442;

const bindingRequestType = 0x0001;
const bindingSuccess = 0x0101;
const bindingError = 0x0111;

const mappedAddress = 0x0001;
const changeRequest = 0x0003;
/** The word of RFC 3489 for OTHER-ADDRESS. */
const changedAddress = 0x0005;
const errorCode = 0x0009;
const xorMappedAddress = 0x0020;
const otherAddress = 0x802c;

/** A binding request with this transaction id of 12 bytes; `change` is 0 for one without CHANGE-REQUEST. */
export function bindingRequest(id: Uint8Array, change: number): Uint8Array {
  const bodySize = change === 0 ? 0 : 8;
  const bytes = new Uint8Array(headerSize + bodySize);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, bindingRequestType);
  view.setUint16(2, bodySize);
  view.setUint32(4, magicCookie);
  bytes.set(id, 8);
  if (change !== 0) {
    view.setUint16(headerSize, changeRequest);
    view.setUint16(headerSize + 2, 4);
    view.setUint32(headerSize + 4, change);
  }
  return bytes;
}

/** Reads a datagram; null when it is no whole and sound answer to a binding request. */
export function readBindingAnswer(datagram: Uint8Array): BindingAnswer | null {
  if (datagram.length < headerSize) return null;
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength);
  const type = view.getUint16(0);
  if (type !== bindingSuccess && type !== bindingError) return null;
  if (view.getUint16(2) !== datagram.length - headerSize || view.getUint32(4) !== magicCookie) return null;

  // Of several of a kind the first counts.
  const attributes = new Map<number, DataView>();
  for (let at = headerSize; at < datagram.length;) {
    if (at + 4 > datagram.length) return null;
    const size = view.getUint16(at + 2);
    const next = at + 4 + size + (-size & 3);
    if (next > datagram.length) return null;
    const kind = view.getUint16(at);
    if (!attributes.has(kind)) {
      attributes.set(kind, new DataView(datagram.buffer, datagram.byteOffset + at + 4, size));
    }
    at = next;
  }

  // A NAT that rewrites what looks like its addresses does not know the masked form.
  const masked = attributes.get(xorMappedAddress);
  const mapped = masked ? readAddress(masked, view) : readAddress(attributes.get(mappedAddress));
  const other = readAddress(attributes.get(otherAddress) ?? attributes.get(changedAddress));
  const id = datagram.subarray(8, headerSize).join();
  if (type === bindingSuccess) return mapped === null ? null : { id, error: null, mapped, other };
  const code = attributes.get(errorCode);
  if (code === undefined || code.byteLength < 4) return null;
  return { id, error: (code.getUint8(2) & 7) * 100 + code.getUint8(3), mapped, other };
}

/** The one way to write an address, for comparisons. */
export function canonicalAddress(address: string): string {
  if (!address.includes(":")) return address;
  return new URL(`http://[${address.replace(/%.*/, "")}]`).hostname.slice(1, -1);
}

/** The value of MAPPED-ADDRESS and its like, masked by the cookie and the id in that header; null when it is none. */
function readAddress(value: DataView | undefined, mask?: DataView): STUNAddress | null {
  const size = value?.byteLength;
  if (value === undefined || (size !== 8 && size !== 20)) return null;
  const isIPv6 = size === 20;
  if (value.getUint8(1) !== (isIPv6 ? 2 : 1)) return null;
  const byte = (index: number) => value.getUint8(4 + index) ^ (mask?.getUint8(4 + index) ?? 0);
  const port = value.getUint16(2) ^ (mask?.getUint16(4) ?? 0);
  const bytes = Array.from({ length: size - 4 }, (_, index) => byte(index));
  if (port === 0) return null;
  if (!isIPv6) return { address: bytes.join("."), port };
  const words = Array.from({ length: 8 }, (_, index) => bytes[2 * index]! * 256 + bytes[2 * index + 1]!);
  return { address: canonicalAddress(words.map((word) => word.toString(16)).join(":")), port };
}
