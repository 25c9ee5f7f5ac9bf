// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Every string that the public API takes, with what would break a line on the wire in it: refused by a TypeError that
 * names the argument. What mod.ts exports and is not in the tables here fails the last test.
 */
import { after, before, describe, it } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { deadline } from "@std/async";
import * as api from "../mod.ts";
import { silentSdp } from "./support/calls.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { Peer } from "./support/peer.ts";
import { callFromPeer } from "./support/peer_calls.ts";

const bad: Readonly<Record<string, string>> = {
  "CR": "a\rb",
  "LF": "a\nb",
  "CR LF": "a\r\nX-Injected: b",
  "NUL": "a\0b",
  "a lone surrogate": "a\ud800b",
};

/** By the argument's name: what takes a text as that argument. */
type Takers = Readonly<Record<string, (text: string) => unknown>>;

const uri = new api.SIPURI({ host: "127.0.0.1" });
const parameters = (make: (parameters: Record<string, string>) => unknown): Takers => ({
  parameters: (text) => make({ [text]: "x" }),
  '"x" in parameters': (text) => make({ x: text }),
});

/** The classes of values, without the prefixes of their twins; both twins are made. */
const values: Readonly<Record<string, (twin: typeof api.SIPURI, plain: object) => Takers>> = {
  SIPURI: (C) => ({
    host: (host) => new C({ host }),
    user: (user) => new C({ host: "h", user }),
    password: (password) => new C({ host: "h", user: "u", password }),
    display: (display) => new C({ host: "h", display }),
    ...parameters((parameters) => new C({ host: "h", parameters })),
    headers: (text) => new C({ host: "h", headers: { [text]: "x" } }),
    '"x" in headers': (text) => new C({ host: "h", headers: { x: text } }),
    address: (text) => new C({ host: "h" }).matches(text),
  }),
  Credentials: make<typeof api.Credentials>((C) => ({
    username: (text) => new C(text, "p"),
    password: (text) => new C("u", text),
    realm: (realm) => new C("u", "p", { realm }),
    algorithm: (text) => new C("u", "p", { algorithm: text as "MD5" }),
  })),
  Header: make<typeof api.Header>((C) => ({
    name: (text) => new C(text, "x"),
    body: (text) => new C("X", text),
  })),
  ContactHeader: make<typeof api.ContactHeader>((C) => ({
    displayName: (displayName) => new C(uri, { displayName }),
    ...parameters((parameters) => new C(uri, { parameters })),
  })),
  FromHeader: make<typeof api.FromHeader>((C) => ({
    displayName: (displayName) => new C(uri, { displayName }),
    ...parameters((parameters) => new C(uri, { parameters })),
  })),
  ToHeader: make<typeof api.ToHeader>((C) => ({
    displayName: (displayName) => new C(uri, { displayName }),
    ...parameters((parameters) => new C(uri, { parameters })),
  })),
  RouteHeader: make<typeof api.RouteHeader>((C) => ({
    displayName: (displayName) => new C(uri, { displayName }),
    ...parameters((parameters) => new C(uri, { parameters })),
  })),
  RecordRouteHeader: make<typeof api.RecordRouteHeader>((C) => ({
    displayName: (displayName) => new C(uri, { displayName }),
    ...parameters((parameters) => new C(uri, { parameters })),
  })),
  ReferToHeader: make<typeof api.ReferToHeader>((C) => ({
    uri: (text) => new C(text),
    displayName: (displayName) => new C(uri, { displayName }),
    ...parameters((parameters) => new C(uri, { parameters })),
  })),
  ReferredByHeader: make<typeof api.ReferredByHeader>((C) => ({
    uri: (text) => new C(text),
    displayName: (displayName) => new C(uri, { displayName }),
    ...parameters((parameters) => new C(uri, { parameters })),
  })),
  ViaHeader: make<typeof api.ViaHeader>((C) => ({
    transport: (text) => new C(text, "h"),
    host: (text) => new C("UDP", text),
    ...parameters((parameters) => new C("UDP", "h", { parameters })),
  })),
  WarningHeader: make<typeof api.WarningHeader>((C) => ({
    agent: (text) => new C(399, text, "x"),
    text: (text) => new C(399, "h", text),
  })),
  EventHeader: make<typeof api.EventHeader>((C) => ({
    event: (text) => new C(text),
    ...parameters((parameters) => new C("presence", { parameters })),
  })),
  ReasonHeader: make<typeof api.ReasonHeader>((C) => ({
    protocol: (text) => new C(text),
    ...parameters((parameters) => new C("SIP", { parameters })),
  })),
  SubscriptionStateHeader: make<typeof api.SubscriptionStateHeader>((C) => ({
    state: (text) => new C(text),
    ...parameters((parameters) => new C("active", { parameters })),
  })),
  ReplacesHeader: make<typeof api.ReplacesHeader>((C) => ({
    callId: (text) => new C(text, "f", "t"),
    fromTag: (text) => new C("c", text, "t"),
    toTag: (text) => new C("c", "f", text),
    ...parameters((parameters) => new C("c", "f", "t", { parameters })),
  })),
  RetryAfterHeader: make<typeof api.RetryAfterHeader>((C) => ({
    comment: (comment) => new C(1, { comment }),
    ...parameters((parameters) => new C(1, { parameters })),
  })),
  ContentTypeHeader: make<typeof api.ContentTypeHeader>((C) => ({
    contentType: (text) => new C(text),
    ...parameters((parameters) => new C("a/b", { parameters })),
  })),
  SubjectHeader: make<typeof api.SubjectHeader>((C) => ({ subject: (text) => new C(text) })),
  SDPSession: make<typeof api.SDPSession>((C) => ({
    address: (text) => new C(text),
    user: (user) => new C("127.0.0.1", { user }),
    netType: (netType) => new C("127.0.0.1", { netType }),
    addressType: (addressType) => new C("127.0.0.1", { addressType }),
    name: (name) => new C("127.0.0.1", { name }),
    info: (info) => new C("127.0.0.1", { info }),
  })),
  SDPMediaStream: make<typeof api.SDPMediaStream>((C) => ({
    media: (text) => new C(text, 1, "RTP/AVP"),
    transport: (text) => new C("audio", 1, text),
    formats: (text) => new C("audio", 1, "RTP/AVP", { formats: [text] }),
    info: (info) => new C("audio", 1, "RTP/AVP", { info }),
  })),
  SDPConnection: make<typeof api.SDPConnection>((C) => ({
    address: (text) => new C(text),
    netType: (netType) => new C("127.0.0.1", { netType }),
    addressType: (addressType) => new C("127.0.0.1", { addressType }),
  })),
  SDPAttribute: make<typeof api.SDPAttribute>((C) => ({
    name: (text) => new C(text, "x"),
    value: (text) => new C("x", text),
  })),
  SDPBandwidthInfo: make<typeof api.SDPBandwidthInfo>((C) => ({ modifier: (text) => new C(text, 1) })),
};

/** The twins of a class have constructors of the same shape. */
function make<C>(takers: (twin: C) => Takers): (twin: typeof api.SIPURI) => Takers {
  return (twin) => takers(twin as unknown as C);
}

/** A mutable one of each class, for its setters. */
const samples: readonly object[] = [
  new api.SIPURI({ host: "h", user: "u" }),
  new api.Credentials("u", "p"),
  new api.Header("X", "y"),
  new api.ContactHeader(uri),
  new api.FromHeader(uri),
  new api.ToHeader(uri),
  new api.RouteHeader(uri),
  new api.RecordRouteHeader(uri),
  new api.ReferToHeader(uri),
  new api.ReferredByHeader(uri),
  new api.ViaHeader("UDP", "h"),
  new api.WarningHeader(399, "h", "x"),
  new api.EventHeader("presence"),
  new api.ReasonHeader("SIP"),
  new api.SubscriptionStateHeader("active"),
  new api.ReplacesHeader("c", "f", "t"),
  new api.RetryAfterHeader(1),
  new api.ContentTypeHeader("a/b"),
  new api.SubjectHeader("x"),
  new api.SDPSession("127.0.0.1"),
  new api.SDPMediaStream("audio", 1, "RTP/AVP"),
  new api.SDPConnection("127.0.0.1"),
  new api.SDPAttribute("a", "b"),
  new api.SDPBandwidthInfo("AS", 1),
];

/** What takes no text that goes anywhere, and why. */
const withoutText: Readonly<Record<string, string>> = {
  FrozenList: "a list",
  FrozenDict: "a map that is only read",
  FrozenSDPAttributeList: "a list of attributes",
  SDPAttributeList: "a list of attributes",
  HeaderMap: "only received",
  NotificationCenter: "names of notifications stay in the program",
  NotificationStream: "made by the center",
  SIPCoreError: "says what it is told",
  SIPCoreInvalidStateError: "says what it is told",
  PJSIPError: "says what it is told",
  PJSIPTLSError: "says what it is told",
  PublicationError: "says what it is told",
  PublicationETagError: "says what it is told",
  PCMPort: "names of marks stay in the program",
  Registration: "takes values that are checked themselves",
  Referral: "takes values that are checked themselves",
  resolve: "takes a URI",
  sipStatusMessages: "a table",
  version: "a text",
};

/** Setters of every class that take a text, or null. */
function settersOf(sample: object): string[] {
  const names: string[] = [];
  for (let from = sample; from !== Object.prototype; from = Object.getPrototypeOf(from)) {
    for (const [name, { set }] of Object.entries(Object.getOwnPropertyDescriptors(from))) {
      const value = (sample as Record<string, unknown>)[name];
      if (set && (typeof value === "string" || value === null)) names.push(name);
    }
  }
  return names;
}

/** Setters whose null stands for no text: numbers and objects. */
const otherSetters =
  /^(port|q|expires|cause|duration|retryAfter|ttl|rport|receivedPort|connection|uri|rtcp|direction)$/;

async function assertRefused(argument: string, take: (text: string) => unknown): Promise<void> {
  for (const [what, text] of Object.entries(bad)) {
    let refusal: unknown = null;
    try {
      await take(text);
    } catch (error) {
      refusal = error;
    }
    assert(refusal instanceof TypeError, `${argument} with ${what}: ${refusal ?? "taken"}`);
    const words = refusal.message.toLowerCase().replaceAll("_", "");
    assert(words.includes(argument.toLowerCase()), `${argument} with ${what}: ${refusal.message}`);
  }
}

describe("Injection", () => {
  let engine: api.Engine;
  before(async () => {
    engine = await startEngine({ incomingRequests: ["MESSAGE"] });
  });
  after(stopEngine);

  for (const [name, takersOf] of Object.entries(values)) {
    for (const twin of [name, `Frozen${name}`]) {
      it(`new ${twin}() takes no text that breaks lines`, async () => {
        const C = (api as unknown as Record<string, typeof api.SIPURI>)[twin]!;
        for (const [argument, take] of Object.entries(takersOf(C, api))) await assertRefused(argument, take);
      });
    }
  }

  for (const sample of samples) {
    it(`${sample.constructor.name} lets nothing be set that breaks lines`, async () => {
      for (const name of settersOf(sample)) {
        if (otherSetters.test(name)) continue;
        const old = (sample as Record<string, unknown>)[name];
        await assertRefused(name, (text) => (sample as Record<string, unknown>)[name] = text);
        assertEquals((sample as Record<string, unknown>)[name], old);
      }
      if (!("parameters" in sample)) return;
      // A map that is changed in place is looked at when it is printed: what a URI has it escapes.
      const map = sample.parameters as Map<string, string>;
      for (const text of Object.values(bad)) {
        for (const [key, value] of [[text, "x"], ["x", text]] as const) {
          map.set(key, value);
          try {
            const printed = String(sample);
            assert(sample instanceof api.SIPURI && !/[\r\n\0]/.test(printed), JSON.stringify(printed));
          } catch (error) {
            assert(error instanceof TypeError, String(error));
          }
          map.delete(key);
        }
      }
    });
  }

  const others: Readonly<Record<string, () => Takers>> = {
    Engine: () => ({
      ipAddress: (ipAddress) => restarted({ ipAddress }),
      libraryPath: (libraryPath) => restarted({ libraryPath }),
      userAgent: (userAgent) => engine.userAgent = userAgent,
      codecs: (text) => engine.codecs = [text],
      method: (text) => engine.addIncomingRequest(text),
      user: (user) => engine.contactUri(api.RouteHeader.to({ address: "127.0.0.1" }), { user }),
      protocol: (text) => engine.setTlsOptions({ protocol: text as "TLSv1.2" }),
      caFile: (caFile) => engine.setTlsOptions({ caFile }),
      certFile: (certFile) => engine.setTlsOptions({ certFile }),
      privkeyFile: (privkeyFile) => engine.setTlsOptions({ privkeyFile }),
    }),
    DialogID: () => ({
      callId: (text) => new api.DialogID(text, "l", "r"),
      localTag: (text) => new api.DialogID("c", text, "r"),
      remoteTag: (text) => new api.DialogID("c", "l", text),
    }),
    MediaCodec: () => ({ name: (text) => new api.MediaCodec(text, 8000) }),
    AudioMixer: () => ({
      inputDevice: (text) => new api.AudioMixer(text, null),
      outputDevice: (text) => new api.AudioMixer(null, text),
    }),
    RTPTransport: () => {
      const turn = (more: object) => new api.RTPTransport({ iceTurn: { address: "127.0.0.1", ...more } });
      return {
        localRtpAddress: (localRtpAddress) => new api.RTPTransport({ localRtpAddress }),
        iceStunAddress: (iceStunAddress) => new api.RTPTransport({ iceStunAddress }),
        "iceTurn.address": (address) => turn({ address }),
        "iceTurn.username": (username) => turn({ username }),
        "iceTurn.password": (password) => turn({ password }),
        "srtpKeying[0]": (text) => new api.RTPTransport({ srtpKeying: [text as api.SRTPKeying] }),
        "srtpCiphers[0]": (text) => new api.RTPTransport({ srtpCiphers: [text as api.SRTPCipher] }),
      };
    },
  };
  for (const [name, takersOf] of Object.entries(others)) {
    it(`${name} takes no text that breaks lines`, async () => {
      for (const [argument, take] of Object.entries(takersOf())) await assertRefused(argument, take);
    });
  }

  /** Options are checked by start() alone. */
  async function restarted(options: Partial<api.EngineOptions>): Promise<void> {
    await engine.stop();
    try {
      await engine.start({ ipAddress: "127.0.0.1", ...options });
    } finally {
      await engine.stop();
      await engine.start({ ipAddress: "127.0.0.1", incomingRequests: ["MESSAGE"] });
    }
  }

  it("RouteHeader.to() takes no text that breaks lines", async () => {
    await assertRefused("address", (address) => api.RouteHeader.to({ address }));
    await assertRefused("tlsName", (tlsName) => api.RouteHeader.to({ address: "127.0.0.1", tlsName }));
    await assertRefused("transport", (text) => {
      return api.RouteHeader.to({ address: "127.0.0.1", transport: text as "udp" });
    });
  });

  it("What plays and records takes no file name that breaks lines", async () => {
    using mixer = new api.AudioMixer(null, null);
    await assertRefused("filename", (text) => new api.WaveFile(mixer, text));
    await assertRefused("filename", (text) => new api.RecordingWaveFile(mixer, text));
    using transport = new api.RTPTransport();
    transport.setInit();
    await assertRefused("codecs", (text) => new api.AudioTransport(mixer, transport, { codecs: [text] }));
  });

  it("Invitation and IncomingRequest answer with no text that breaks lines", async () => {
    await using peer = await Peer.open();
    const { invitation, story } = await callFromPeer(engine, peer, { body: silentSdp.toString() });
    await assertRefused("reason", (reason) => invitation.sendResponse(486, { reason }));
    invitation.sendResponse(486);
    peer.ack(await peer.next({ code: 486 }));
    await story.end();
    const coming = deadline(new api.NotificationCenter().once("SIPIncomingRequestGotRequest"), 4000);
    peer.request("MESSAGE", {
      uri: `sip:bob@127.0.0.1:${engine.udpPort}`,
      contentType: "text/plain",
      body: "x",
    });
    const { sender } = await coming;
    await assertRefused("reason", (reason) => sender.answer(200, { reason }));
    await assertRefused("contentType", (contentType) => sender.answer(200, { contentType, body: "x" }));
    sender.answer(200);
    assertEquals((await peer.next({ cseqMethod: "MESSAGE" })).code, 200);
  });

  it("What is sent takes no text that breaks lines", async () => {
    const fromHeader = new api.FromHeader(uri);
    const routeHeader = api.RouteHeader.to({ address: "127.0.0.1" });
    const to = { requestUri: uri, fromHeader, toHeader: new api.ToHeader(uri), routeHeader };
    await assertRefused("method", (method) => new api.Request({ ...to, method }));
    await assertRefused("callId", (callId) => new api.Request({ ...to, method: "X", callId }));
    await assertRefused("contentType", (contentType) => {
      return new api.Request({ ...to, method: "X", contentType, body: "x" });
    });
    await assertRefused("contentType", (contentType) => new api.Message({ ...to, contentType, body: "x" }));
    await assertRefused("event", (event) => new api.Publication(fromHeader, event, "text/plain"));
    await assertRefused("contentType", (type) => new api.Publication(fromHeader, "presence", type));
    const publication = new api.Publication(fromHeader, "presence", "text/plain");
    await assertRefused("contentType", (type) => publication.contentType = type);
  });

  it("Subscriptions and referrals take no text that breaks lines", async () => {
    const fromHeader = new api.FromHeader(uri);
    const routeHeader = api.RouteHeader.to({ address: "127.0.0.1" });
    const to = { requestUri: uri, fromHeader, toHeader: new api.ToHeader(uri), routeHeader };
    await assertRefused("event", (event) => new api.Subscription({ ...to, event }));
    await assertRefused("contentType", (contentType) => {
      return new api.Subscription({ ...to, event: "presence" }).subscribe({ contentType, body: "x" });
    });
    await using peer = await Peer.open();
    const own = `sip:bob@127.0.0.1:${engine.udpPort}`;
    const center = new api.NotificationCenter();
    engine.addIncomingEvent("presence");
    const subscribed = deadline(center.once("SIPIncomingSubscriptionGotSubscribe"), 4000);
    peer.request("SUBSCRIBE", { uri: own, headers: { Event: "presence", Expires: "60" } });
    const { sender: subscription } = await subscribed;
    await assertRefused("contentType", (contentType) => subscription.accept({ contentType, content: "x" }));
    subscription.accept();
    await assertRefused("contentType", (contentType) => subscription.pushContent(contentType, "x"));
    await assertRefused("reason", (reason) => subscription.end({ reason }));
    subscription.end();
    const referred = deadline(center.once("SIPIncomingReferralGotRefer"), 4000);
    peer.request("REFER", { uri: own, headers: { "Refer-To": "<sip:c@d>" } });
    const { sender: referral } = await referred;
    referral.accept();
    await assertRefused("status", (status) => referral.sendNotify(180, { status }));
    await assertRefused("status", (status) => referral.end({ status }));
    referral.end();
    engine.removeIncomingEvent("presence");
  });

  it("Everything that is exported is looked at here", () => {
    const known = new Set([
      ...Object.keys(values).flatMap((name) => [name, `Frozen${name}`, `Base${name}`]),
      ...Object.keys(others),
      ...Object.keys(withoutText),
      ...[
        "Request",
        "Message",
        "Publication",
        "Subscription",
        "IncomingSubscription",
        "IncomingReferral",
        "Invitation",
        "IncomingRequest",
        "WaveFile",
        "RecordingWaveFile",
        "MixerPort",
        "ToneGenerator",
        "AudioTransport",
      ],
      ...["BaseHeader", "BaseGenericHeader"],
    ]);
    assertEquals(Object.keys(api).filter((name) => !known.has(name)), []);
  });
});
