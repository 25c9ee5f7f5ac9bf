// SPDX-License-Identifier: GPL-2.0-or-later
/** What holds for every value class alike: twins, copies, round trips, and hostile text. */
import { describe, it } from "node:test";
import { assert, assertEquals, assertFalse, assertThrows } from "@std/assert";
import fc from "fast-check";
import { Credentials, FrozenCredentials } from "../core/credentials.ts";
import { SIPCoreError } from "../core/errors.ts";
import {
  ContactHeader,
  ContentTypeHeader,
  EventHeader,
  FromHeader,
  FrozenContactHeader,
  FrozenContentTypeHeader,
  FrozenEventHeader,
  FrozenFromHeader,
  FrozenHeader,
  FrozenReasonHeader,
  FrozenRecordRouteHeader,
  FrozenReferredByHeader,
  FrozenReferToHeader,
  FrozenReplacesHeader,
  FrozenRetryAfterHeader,
  FrozenRouteHeader,
  FrozenSubjectHeader,
  FrozenSubscriptionStateHeader,
  FrozenToHeader,
  FrozenViaHeader,
  FrozenWarningHeader,
  Header,
  ReasonHeader,
  RecordRouteHeader,
  ReferredByHeader,
  ReferToHeader,
  ReplacesHeader,
  RetryAfterHeader,
  RouteHeader,
  SubjectHeader,
  SubscriptionStateHeader,
  ToHeader,
  ViaHeader,
  WarningHeader,
} from "../core/headers.ts";
import { FrozenSDPAttribute, SDPAttribute } from "../core/sdp_attribute.ts";
import { FrozenSDPBandwidthInfo, SDPBandwidthInfo } from "../core/sdp_bandwidth_info.ts";
import { FrozenSDPConnection, SDPConnection } from "../core/sdp_connection.ts";
import { FrozenSDPMediaStream, SDPMediaStream } from "../core/sdp_media_stream.ts";
import { FrozenSDPSession, SDPSession } from "../core/sdp_session.ts";
import { FrozenSIPURI, SIPURI } from "../core/uri.ts";
import {
  displayName,
  host,
  hostile,
  parameters,
  port,
  text,
  token,
  trimmed,
  uri,
  word,
} from "./support/arbitraries.ts";

interface Value {
  readonly frozen: boolean;
  equals(other: unknown): boolean;
  toString(): string;
}

/** One pair of twins: how to make them, from each other, from an init object, and from text. */
interface Twins<X extends Value, F extends Value> {
  name: string;
  values: fc.Arbitrary<X>;
  toPlain: (value: X | F) => X;
  toFrozen: (value: X | F) => F;
  /** Both made anew, each from the other as an init object. */
  byInit: (plain: X, frozen: F) => [X, F];
  /** Both parsers; values without a text form have none. */
  parse?: [(text: string) => X, (text: string) => F];
  tryParse?: (text: string) => F | null;
}

const headerOptions = fc.record({ parameters, displayName });
const optionalInteger = (max: number) => fc.option(fc.integer({ min: 0, max }));
const attribute = fc.tuple(word.filter((name) => !name.includes(":")), text)
  .map(([name, value]) => new SDPAttribute(name, value));
const bandwidth = fc.tuple(token, fc.maxSafeNat()).map(([modifier, value]) =>
  new SDPBandwidthInfo(modifier, value)
);
const connection = fc.tuple(word, fc.boolean()).map(([address, net]) => {
  return new SDPConnection(address, net ? { netType: "X", addressType: "Y" } : {});
});
const sdpParts = {
  info: fc.option(text),
  connection: fc.option(connection),
  attributes: fc.array(attribute, { maxLength: 4 }),
  bandwidthInfo: fc.array(bandwidth, { maxLength: 2 }),
};
const mediaStream = fc.record({
  media: word,
  port: fc.integer({ min: 0, max: 65535 }),
  transport: word,
  portCount: fc.integer({ min: 1, max: 3 }),
  formats: fc.array(word, { maxLength: 4 }),
  ...sdpParts,
}).map((init) => new SDPMediaStream(init));
const session = fc.record({
  address: word,
  id: fc.oneof(fc.maxSafeNat(), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })),
  version: fc.oneof(fc.maxSafeNat(), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })),
  user: word,
  name: text,
  startTime: fc.maxSafeNat(),
  stopTime: fc.maxSafeNat(),
  media: fc.array(mediaStream, { maxLength: 3 }),
  ...sdpParts,
}).map((init) => new SDPSession(init));

check<SIPURI, FrozenSIPURI>({
  name: "SIPURI",
  values: uri,
  toPlain: (x) => SIPURI.from(x),
  toFrozen: (x) => FrozenSIPURI.from(x),
  byInit: (x, f) => [new SIPURI(f), new FrozenSIPURI(x)],
  parse: [(t) => SIPURI.parse(t), (t) => FrozenSIPURI.parse(t)],
  tryParse: (t) => FrozenSIPURI.tryParse(t),
});

check<Credentials, FrozenCredentials>({
  name: "Credentials",
  values: fc.tuple(text, text, text).map(([user, password, realm]) =>
    new Credentials(user, password, { realm })
  ),
  toPlain: (x) => Credentials.from(x),
  toFrozen: (x) => FrozenCredentials.from(x),
  byInit: (x, f) => [new Credentials(f), new FrozenCredentials(x)],
});

check<Header, FrozenHeader>({
  name: "Header",
  values: fc.tuple(token, trimmed).map(([name, body]) => new Header(name, body)),
  toPlain: (x) => Header.from(x),
  toFrozen: (x) => FrozenHeader.from(x),
  byInit: (x, f) => [new Header(f), new FrozenHeader(x)],
  parse: [(t) => Header.parse(t), (t) => FrozenHeader.parse(t)],
  tryParse: (t) => FrozenHeader.tryParse(t),
});

check<FromHeader, FrozenFromHeader>({
  name: "FromHeader",
  values: fc.tuple(uri, headerOptions, fc.option(token)).map(([uri, options, tag]) => {
    const header = new FromHeader(uri, options);
    header.tag = tag;
    return header;
  }),
  toPlain: (x) => FromHeader.from(x),
  toFrozen: (x) => FrozenFromHeader.from(x),
  byInit: (x, f) => [new FromHeader(f), new FrozenFromHeader(x)],
  parse: [(t) => FromHeader.parse(t), (t) => FrozenFromHeader.parse(t)],
  tryParse: (t) => FrozenFromHeader.tryParse(t),
});

check<ToHeader, FrozenToHeader>({
  name: "ToHeader",
  values: fc.tuple(uri, headerOptions).map(([uri, options]) => new ToHeader(uri, options)),
  toPlain: (x) => ToHeader.from(x),
  toFrozen: (x) => FrozenToHeader.from(x),
  byInit: (x, f) => [new ToHeader(f), new FrozenToHeader(x)],
  parse: [(t) => ToHeader.parse(t), (t) => FrozenToHeader.parse(t)],
  tryParse: (t) => FrozenToHeader.tryParse(t),
});

check<RouteHeader, FrozenRouteHeader>({
  name: "RouteHeader",
  values: fc.tuple(uri, headerOptions).map(([uri, options]) => new RouteHeader(uri, options)),
  toPlain: (x) => RouteHeader.from(x),
  toFrozen: (x) => FrozenRouteHeader.from(x),
  byInit: (x, f) => [new RouteHeader(f), new FrozenRouteHeader(x)],
  parse: [(t) => RouteHeader.parse(t), (t) => FrozenRouteHeader.parse(t)],
  tryParse: (t) => FrozenRouteHeader.tryParse(t),
});

check<RecordRouteHeader, FrozenRecordRouteHeader>({
  name: "RecordRouteHeader",
  values: fc.tuple(uri, headerOptions).map(([uri, options]) => new RecordRouteHeader(uri, options)),
  toPlain: (x) => RecordRouteHeader.from(x),
  toFrozen: (x) => FrozenRecordRouteHeader.from(x),
  byInit: (x, f) => [new RecordRouteHeader(f), new FrozenRecordRouteHeader(x)],
  parse: [(t) => RecordRouteHeader.parse(t), (t) => FrozenRecordRouteHeader.parse(t)],
  tryParse: (t) => FrozenRecordRouteHeader.tryParse(t),
});

check<ContactHeader, FrozenContactHeader>({
  name: "ContactHeader",
  values: fc.tuple(
    fc.option(uri),
    headerOptions,
    fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
    optionalInteger(2 ** 32 - 1),
  ).map(([uri, options, q, expires]) => {
    const header = new ContactHeader(uri, uri === null ? { parameters: options.parameters } : options);
    header.q = q;
    header.expires = expires;
    return header;
  }),
  toPlain: (x) => ContactHeader.from(x),
  toFrozen: (x) => FrozenContactHeader.from(x),
  byInit: (x, f) => [new ContactHeader(f), new FrozenContactHeader(x)],
  parse: [(t) => ContactHeader.parse(t), (t) => FrozenContactHeader.parse(t)],
  tryParse: (t) => FrozenContactHeader.tryParse(t),
});

check<ViaHeader, FrozenViaHeader>({
  name: "ViaHeader",
  values: fc.tuple(token, host, port, parameters, fc.option(token), optionalInteger(65535)).map(
    ([transport, host, port, parameters, branch, rport]) => {
      const header = new ViaHeader(transport, host, { port, parameters });
      header.branch = branch;
      header.rport = rport;
      return header;
    },
  ),
  toPlain: (x) => ViaHeader.from(x),
  toFrozen: (x) => FrozenViaHeader.from(x),
  byInit: (x, f) => [ViaHeader.from(f), FrozenViaHeader.from(x)],
  parse: [(t) => ViaHeader.parse(t), (t) => FrozenViaHeader.parse(t)],
  tryParse: (t) => FrozenViaHeader.tryParse(t),
});

check<WarningHeader, FrozenWarningHeader>({
  name: "WarningHeader",
  values: fc.tuple(fc.integer({ min: 100, max: 999 }), token, text)
    .map(([code, agent, text]) => new WarningHeader(code, agent, text)),
  toPlain: (x) => WarningHeader.from(x),
  toFrozen: (x) => FrozenWarningHeader.from(x),
  byInit: (x, f) => [new WarningHeader(f), new FrozenWarningHeader(x)],
  parse: [(t) => WarningHeader.parse(t), (t) => FrozenWarningHeader.parse(t)],
  tryParse: (t) => FrozenWarningHeader.tryParse(t),
});

check<EventHeader, FrozenEventHeader>({
  name: "EventHeader",
  values: fc.tuple(token, parameters, fc.option(token)).map(([event, parameters, id]) => {
    const header = new EventHeader(event, { parameters });
    header.id = id;
    return header;
  }),
  toPlain: (x) => EventHeader.from(x),
  toFrozen: (x) => FrozenEventHeader.from(x),
  byInit: (x, f) => [new EventHeader(f), new FrozenEventHeader(x)],
  parse: [(t) => EventHeader.parse(t), (t) => FrozenEventHeader.parse(t)],
  tryParse: (t) => FrozenEventHeader.tryParse(t),
});

check<SubscriptionStateHeader, FrozenSubscriptionStateHeader>({
  name: "SubscriptionStateHeader",
  values: fc.tuple(token, parameters, fc.option(token), optionalInteger(9), optionalInteger(9)).map(
    ([state, parameters, reason, expires, retryAfter]) => {
      const header = new SubscriptionStateHeader(state, { parameters });
      return Object.assign(header, { reason, expires, retryAfter });
    },
  ),
  toPlain: (x) => SubscriptionStateHeader.from(x),
  toFrozen: (x) => FrozenSubscriptionStateHeader.from(x),
  byInit: (x, f) => [new SubscriptionStateHeader(f), new FrozenSubscriptionStateHeader(x)],
  parse: [(t) => SubscriptionStateHeader.parse(t), (t) => FrozenSubscriptionStateHeader.parse(t)],
  tryParse: (t) => FrozenSubscriptionStateHeader.tryParse(t),
});

check<ReasonHeader, FrozenReasonHeader>({
  name: "ReasonHeader",
  values: fc.tuple(token, parameters, optionalInteger(999), fc.option(text)).map(
    ([protocol, parameters, cause, text]) => {
      return Object.assign(new ReasonHeader(protocol, { parameters }), { cause, text });
    },
  ),
  toPlain: (x) => ReasonHeader.from(x),
  toFrozen: (x) => FrozenReasonHeader.from(x),
  byInit: (x, f) => [new ReasonHeader(f), new FrozenReasonHeader(x)],
  parse: [(t) => ReasonHeader.parse(t), (t) => FrozenReasonHeader.parse(t)],
  tryParse: (t) => FrozenReasonHeader.tryParse(t),
});

check<ContentTypeHeader, FrozenContentTypeHeader>({
  name: "ContentTypeHeader",
  values: fc.tuple(token, token, parameters).map(([type, subtype, parameters]) => {
    return new ContentTypeHeader(`${type}/${subtype}`, { parameters });
  }),
  toPlain: (x) => ContentTypeHeader.from(x),
  toFrozen: (x) => FrozenContentTypeHeader.from(x),
  byInit: (x, f) => [new ContentTypeHeader(f), new FrozenContentTypeHeader(x)],
  parse: [(t) => ContentTypeHeader.parse(t), (t) => FrozenContentTypeHeader.parse(t)],
  tryParse: (t) => FrozenContentTypeHeader.tryParse(t),
});

check<SubjectHeader, FrozenSubjectHeader>({
  name: "SubjectHeader",
  values: trimmed.map((subject) => new SubjectHeader(subject)),
  toPlain: (x) => SubjectHeader.from(x),
  toFrozen: (x) => FrozenSubjectHeader.from(x),
  byInit: (x, f) => [new SubjectHeader(f), new FrozenSubjectHeader(x)],
  parse: [(t) => SubjectHeader.parse(t), (t) => FrozenSubjectHeader.parse(t)],
  tryParse: (t) => FrozenSubjectHeader.tryParse(t),
});

check<ReplacesHeader, FrozenReplacesHeader>({
  name: "ReplacesHeader",
  values: fc.tuple(token, token, token, fc.boolean(), parameters).map(
    ([callId, fromTag, toTag, earlyOnly, parameters]) => {
      return new ReplacesHeader(`${callId}@h`, fromTag, toTag, { earlyOnly, parameters });
    },
  ),
  toPlain: (x) => ReplacesHeader.from(x),
  toFrozen: (x) => FrozenReplacesHeader.from(x),
  byInit: (x, f) => [new ReplacesHeader(f), new FrozenReplacesHeader(x)],
  parse: [(t) => ReplacesHeader.parse(t), (t) => FrozenReplacesHeader.parse(t)],
  tryParse: (t) => FrozenReplacesHeader.tryParse(t),
});

check<RetryAfterHeader, FrozenRetryAfterHeader>({
  name: "RetryAfterHeader",
  values: fc.tuple(fc.nat(), fc.option(text), parameters, optionalInteger(9)).map(
    ([seconds, comment, parameters, duration]) => {
      return Object.assign(new RetryAfterHeader(seconds, { comment, parameters }), { duration });
    },
  ),
  toPlain: (x) => RetryAfterHeader.from(x),
  toFrozen: (x) => FrozenRetryAfterHeader.from(x),
  byInit: (x, f) => [new RetryAfterHeader(f), new FrozenRetryAfterHeader(x)],
  parse: [(t) => RetryAfterHeader.parse(t), (t) => FrozenRetryAfterHeader.parse(t)],
  tryParse: (t) => FrozenRetryAfterHeader.tryParse(t),
});

check<ReferToHeader, FrozenReferToHeader>({
  name: "ReferToHeader",
  values: fc.tuple(fc.oneof(uri, fc.constant("tel:+1")), headerOptions)
    .map(([uri, options]) => new ReferToHeader(uri, options)),
  toPlain: (x) => ReferToHeader.from(x),
  toFrozen: (x) => FrozenReferToHeader.from(x),
  byInit: (x, f) => [new ReferToHeader(f), new FrozenReferToHeader(x)],
  parse: [(t) => ReferToHeader.parse(t), (t) => FrozenReferToHeader.parse(t)],
  tryParse: (t) => FrozenReferToHeader.tryParse(t),
});

check<ReferredByHeader, FrozenReferredByHeader>({
  name: "ReferredByHeader",
  values: fc.tuple(uri, headerOptions).map(([uri, options]) => new ReferredByHeader(uri, options)),
  toPlain: (x) => ReferredByHeader.from(x),
  toFrozen: (x) => FrozenReferredByHeader.from(x),
  byInit: (x, f) => [new ReferredByHeader(f), new FrozenReferredByHeader(x)],
  parse: [(t) => ReferredByHeader.parse(t), (t) => FrozenReferredByHeader.parse(t)],
  tryParse: (t) => FrozenReferredByHeader.tryParse(t),
});

check<SDPAttribute, FrozenSDPAttribute>({
  name: "SDPAttribute",
  values: attribute,
  toPlain: (x) => SDPAttribute.from(x),
  toFrozen: (x) => FrozenSDPAttribute.from(x),
  byInit: (x, f) => [new SDPAttribute(f), new FrozenSDPAttribute(x)],
  parse: [(t) => SDPAttribute.parse(t), (t) => FrozenSDPAttribute.parse(t)],
  tryParse: (t) => FrozenSDPAttribute.tryParse(t),
});

check<SDPBandwidthInfo, FrozenSDPBandwidthInfo>({
  name: "SDPBandwidthInfo",
  values: bandwidth,
  toPlain: (x) => SDPBandwidthInfo.from(x),
  toFrozen: (x) => FrozenSDPBandwidthInfo.from(x),
  byInit: (x, f) => [new SDPBandwidthInfo(f), new FrozenSDPBandwidthInfo(x)],
  parse: [(t) => SDPBandwidthInfo.parse(t), (t) => FrozenSDPBandwidthInfo.parse(t)],
  tryParse: (t) => FrozenSDPBandwidthInfo.tryParse(t),
});

check<SDPConnection, FrozenSDPConnection>({
  name: "SDPConnection",
  values: connection,
  toPlain: (x) => SDPConnection.from(x),
  toFrozen: (x) => FrozenSDPConnection.from(x),
  byInit: (x, f) => [new SDPConnection(f), new FrozenSDPConnection(x)],
  parse: [(t) => SDPConnection.parse(t), (t) => FrozenSDPConnection.parse(t)],
  tryParse: (t) => FrozenSDPConnection.tryParse(t),
});

check<SDPMediaStream, FrozenSDPMediaStream>({
  name: "SDPMediaStream",
  values: mediaStream,
  toPlain: (x) => SDPMediaStream.from(x),
  toFrozen: (x) => FrozenSDPMediaStream.from(x),
  byInit: (x, f) => [new SDPMediaStream(f), new FrozenSDPMediaStream(x)],
  parse: [(t) => SDPMediaStream.parse(t), (t) => FrozenSDPMediaStream.parse(t)],
  tryParse: (t) => FrozenSDPMediaStream.tryParse(t),
});

check<SDPSession, FrozenSDPSession>({
  name: "SDPSession",
  values: session,
  toPlain: (x) => SDPSession.from(x),
  toFrozen: (x) => FrozenSDPSession.from(x),
  byInit: (x, f) => [new SDPSession(f), new FrozenSDPSession(x)],
  parse: [(t) => SDPSession.parse(t), (t) => FrozenSDPSession.parse(t)],
  tryParse: (t) => FrozenSDPSession.tryParse(t),
});

function check<X extends Value, F extends Value>(twins: Twins<X, F>): void {
  const { name, values, toPlain, toFrozen, byInit, parse, tryParse } = twins;
  describe(`${name} as a value`, () => {
    it(`${name}.from() copies between the twins, and copies are equal`, () => {
      fc.assert(fc.property(values, (value) => {
        const frozen = toFrozen(value);
        const copies = [toPlain(value), frozen, toPlain(frozen), toFrozen(frozen), ...byInit(value, frozen)];
        for (const copy of copies) {
          assert(copy.equals(value) && value.equals(copy));
          assertEquals(copy.toString(), value.toString());
        }
        assertEquals(copies.map((copy) => copy.frozen), [false, true, false, true, false, true]);
        assertFalse(copies[0] === value);
      }));
    });

    it(`Frozen${name} never changes, whatever is assigned`, () => {
      const [plain] = fc.sample(values, { numRuns: 1, seed: 7 });
      const frozen = toFrozen(plain!);
      const before = frozen.toString();
      assert(Object.isFrozen(frozen));
      const accessors = keysOf(frozen);
      assert(accessors.length > 1);
      for (const key of [...accessors, "somethingNew"]) {
        assertThrows(() => (frozen as unknown as Record<string, unknown>)[key] = "1", TypeError);
      }
      assertEquals(frozen.toString(), before);
    });

    it(`${name}.from() and setters refuse what is none of it`, () => {
      const strange = { toString: () => "sip:h" } as unknown as X;
      assertThrows(() => toPlain(strange), TypeError);
      assertThrows(() => toFrozen(null as unknown as X), TypeError);
      const [plain] = fc.sample(values, { numRuns: 1, seed: 7 });
      for (const key of keysOf(plain!)) {
        if (!hasSetter(plain!, key)) continue;
        assertThrows(() => (plain as unknown as Record<string, unknown>)[key] = Symbol("strange"));
      }
    });

    if (parse === undefined || tryParse === undefined) return;

    it(`${name}.parse() reads what toString() prints`, () => {
      fc.assert(fc.property(values, (value) => {
        for (const one of parse) {
          const parsed = one(value.toString());
          assert(parsed.equals(value) && value.equals(parsed), value.toString());
          assertEquals(parsed.toString(), value.toString());
        }
      }));
    });

    it(`${name}.parse() throws nothing but SIPCoreError, and what it takes can be printed`, () => {
      fc.assert(
        fc.property(hostile, fc.option(values), fc.nat(), (text, value, at) => {
          // Half of the texts are printed values with something hostile put into them.
          const printed = value?.toString() ?? "";
          const given = printed.slice(0, at % (printed.length + 1)) + text +
            printed.slice(at % (printed.length + 1));
          const tried = tryParse(given);
          let parsed: X | null = null;
          try {
            parsed = parse[0](given);
          } catch (error) {
            assert(error instanceof SIPCoreError && error.code === "PARSE", String(error));
          }
          assertEquals(parsed === null, tried === null);
          if (parsed !== null) assert(parse[1](parsed.toString()).equals(parsed), given);
        }),
        { numRuns: 500 },
      );
    });
  });
}

/** The names of all accessors of an object. */
function keysOf(value: object): string[] {
  const keys: string[] = [];
  for (let at = Object.getPrototypeOf(value); at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    for (const [key, { get }] of Object.entries(Object.getOwnPropertyDescriptors(at))) {
      if (get !== undefined) keys.push(key);
    }
  }
  return [...new Set(keys)];
}

function hasSetter(value: object, key: string): boolean {
  for (let at = value; at !== null; at = Object.getPrototypeOf(at)) {
    const descriptor = Object.getOwnPropertyDescriptor(at, key);
    if (descriptor !== undefined) return descriptor.set !== undefined;
  }
  return false;
}
