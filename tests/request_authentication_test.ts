// SPDX-License-Identifier: GPL-2.0-or-later
import { after, before, describe, it } from "node:test";
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import {
  Credentials,
  Engine,
  Header,
  NotificationCenter,
  type Request,
  type RequestOptions,
} from "../mod.ts";
import { answers, type Challenge, challengeText, digestParameters, ha1 } from "./support/digest.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { Peer, type PeerMessage } from "./support/peer.ts";
import { callPeer } from "./support/peer_calls.ts";
import { requestTo, storyOf } from "./support/requests.ts";
import { cseqOf, header, tagOf } from "./support/sip_text.ts";
import { requestNames, Told } from "./support/told.ts";
import { until } from "./support/until.ts";

const user = "alice";
const password = "wonderland";
const credentials = new Credentials(user, password);
const md5: Challenge = { realm: "example.net", nonce: "n1", algorithm: "MD5" };
const sha256: Challenge = { ...md5, algorithm: "SHA-256" };

/** The header that carries the challenge, and the one that answers it. */
const names = {
  401: ["WWW-Authenticate", "Authorization"],
  407: ["Proxy-Authenticate", "Proxy-Authorization"],
} as const;

function challenge(
  peer: Peer,
  request: PeerMessage,
  code: 401 | 407,
  ...challenges: (Challenge | string)[]
): void {
  const values = challenges.map((one) => typeof one === "string" ? one : challengeText(one));
  peer.respond(request, code, { headers: { [names[code][0]]: values } });
}

function send(peer: Peer, options: Partial<RequestOptions> = {}): Request {
  const request = requestTo(peer, { credentials, ...options });
  request.send();
  return request;
}

/** The name of the last notification but SIPRequestDidEnd, and its code. */
async function finalOf(request: Request): Promise<[string, number]> {
  const notes = await storyOf(request);
  assertEquals(notes.at(-1)?.name, "SIPRequestDidEnd");
  const final = notes.at(-2)!;
  assert("code" in final.data);
  assertEquals(notes.length, 2, "nothing of the challenge is told");
  return [final.name.replace("SIPRequest", ""), final.data.code];
}

/** Challenges, and gives the request that answers. */
async function answerTo(
  peer: Peer,
  request: PeerMessage,
  code: 401 | 407,
  ...challenges: (Challenge | string)[]
): Promise<PeerMessage> {
  challenge(peer, request, code, ...challenges);
  return await peer.next();
}

describe("Request, authentication", () => {
  before(() => startEngine());
  after(stopEngine);

  for (const code of [401, 407] as const) {
    for (const algorithm of ["MD5", "SHA-256", "SHA-512-256"] as const) {
      for (const qop of [true, false]) {
        it(`Request.credentials answer a ${code} with ${algorithm}${qop ? "" : " without qop"}, unnoticed`, async () => {
          await using peer = await Peer.open();
          const request = send(peer, { contentType: "text/plain", body: "once\0more" });
          const story = finalOf(request);
          const first = await peer.next();
          const asked: Challenge = { ...md5, algorithm, qop };
          const second = await answerTo(peer, first, code, asked);
          assertEquals(cseqOf(second).number, 2);
          assertEquals(request.cseq, 1, "nothing was told yet");
          assertEquals(header(second, "Call-ID"), header(first, "Call-ID"));
          assertEquals(tagOf(header(second, "From")), tagOf(header(first, "From")));
          assertEquals(header(second, "To"), "<sip:bob@example.net>");
          assertNotEquals(header(second, "Via"), header(first, "Via"));
          assertEquals([second.body, header(second, "Content-Type")], ["once\0more", "text/plain"]);
          const value = header(second, names[code][1]);
          assert(answers(value, asked, { method: "MESSAGE", user, password }), value);
          const given = digestParameters(value);
          assertEquals(
            [given.get("qop"), given.get("nc")],
            qop ? ["auth", "00000001"] : [undefined, undefined],
          );
          peer.respond(second, 200);
          assertEquals(await story, ["DidSucceed", 200]);
          assertEquals(request.cseq, 2);
        });
      }
    }
  }

  it("Request.credentials may be a hash, which answers its own algorithm alone", async () => {
    await using peer = await Peer.open();
    for (const algorithm of ["MD5", "SHA-256", "SHA-512-256"] as const) {
      const hash = ha1(algorithm, user, "example.net", password);
      const digest = new Credentials(user, hash, { realm: "example.net", digest: true, algorithm });
      // The server offers all three, the strongest last and first.
      const all = (["MD5", "SHA-256", "SHA-512-256"] as const).map((one) => ({ ...md5, algorithm: one }));
      for (const offered of [all, all.toReversed()]) {
        const request = send(peer, { credentials: digest });
        const second = await answerTo(peer, await peer.next(), 401, ...offered);
        assertEquals(second.headers.get("authorization")?.length, 1);
        const value = header(second, "Authorization");
        assert(answers(value, { ...md5, algorithm }, { method: "MESSAGE", user, password }), value);
        peer.respond(second, 200);
        assertEquals(await finalOf(request), ["DidSucceed", 200]);
      }
      const other = send(peer, { credentials: digest });
      challenge(peer, await peer.next(), 401, ...all.filter((one) => one.algorithm !== algorithm));
      assertEquals(await finalOf(other), ["DidFail", 401]);
    }
  });

  it("Request.credentials answer the strongest of several challenges, in whatever order and with whatever nonces", async () => {
    await using peer = await Peer.open();
    const strongest: Challenge = { ...md5, algorithm: "SHA-512-256" };
    const orders: [Challenge[], Challenge][] = [
      [[sha256, md5], sha256],
      [[md5, sha256], sha256],
      [[{ ...md5, nonce: "n2" }, sha256], sha256],
      [[sha256, { ...md5, nonce: "n2" }], sha256],
      [[md5, strongest, sha256], strongest],
    ];
    for (const code of [401, 407] as const) {
      for (const [offered, expected] of orders) {
        const request = send(peer);
        const second = await answerTo(peer, await peer.next(), code, ...offered);
        const values = second.headers.get(names[code][1].toLowerCase())!;
        assertEquals(values.length, 1);
        assert(answers(values[0]!, expected, { method: "MESSAGE", user, password }), values[0]!);
        peer.respond(second, 200);
        assertEquals(await finalOf(request), ["DidSucceed", 200]);
      }
    }
  });

  it("Invitation.credentials answer the strongest of several challenges", async () => {
    await using peer = await Peer.open();
    for (const offered of [[md5, sha256], [sha256, { ...md5, nonce: "n2" }]]) {
      const call = await callPeer(peer, { credentials });
      challenge(peer, call.invite, 401, ...offered);
      const second = await peer.next({ method: "INVITE" });
      assertEquals(second.headers.get("authorization")?.length, 1);
      assert(answers(header(second, "Authorization"), sha256, { method: "INVITE", user, password }));
      peer.respond(second, 486);
      await call.story.end();
    }
  });

  it("Request.credentials of one realm send nothing to another", async () => {
    await using peer = await Peer.open();
    const bound = new Credentials(user, password, { realm: "example.net" });
    const foreign = send(peer, { credentials: bound });
    challenge(peer, await peer.next(), 401, { ...md5, realm: "evil.example" });
    assertEquals(await finalOf(foreign), ["DidFail", 401]);
    assertEquals(peer.received.length, 1);

    const mixed = send(peer, { credentials: bound });
    const second = await answerTo(
      peer,
      await peer.next(),
      401,
      { ...sha256, realm: "evil.example" },
      md5,
      { ...sha256, realm: "example.net.evil.example" },
      { ...sha256, realm: "*" },
    );
    assertEquals(second.headers.get("authorization")?.length, 1);
    assert(answers(header(second, "Authorization"), md5, { method: "MESSAGE", user, password }));
    peer.respond(second, 200);
    assertEquals(await finalOf(mixed), ["DidSucceed", 200]);
  });

  it("Request.credentials of any realm answer each of those that one response names", async () => {
    await using peer = await Peer.open();
    const request = send(peer);
    const second = await answerTo(peer, await peer.next(), 407, md5, { ...sha256, realm: "other.example" });
    assertEquals(
      second.headers.get("proxy-authorization")!.map((value) => digestParameters(value).get("realm")).sort(),
      ["example.net", "other.example"],
    );
    peer.respond(second, 200);
    assertEquals(await finalOf(request), ["DidSucceed", 200]);
  });

  it("Request without credentials fails with the challenge", async () => {
    await using peer = await Peer.open();
    for (const code of [401, 407] as const) {
      const request = send(peer, { credentials: null });
      using told = new Told(...requestNames);
      challenge(peer, await peer.next(), code, md5);
      const { data } = await told.until("SIPRequestDidFail");
      assertEquals([data.code, data.headers.text(names[code][0])], [code, challengeText(md5)]);
      assertEquals(request.cseq, 1);
    }
  });

  it("Request fails with the second challenge, whatever it says", async () => {
    await using peer = await Peer.open();
    const seconds: [401 | 407, Challenge][] = [
      [401, md5],
      [401, { ...md5, nonce: "n2" }],
      [401, { ...md5, nonce: "n2", stale: true }],
      [401, { ...md5, realm: "other.example" }],
      [401, sha256],
      [407, { ...md5, realm: "proxy.example" }],
    ];
    for (const [code, again] of seconds) {
      const request = send(peer);
      const second = await answerTo(peer, await peer.next(), 401, md5);
      using told = new Told(...requestNames);
      challenge(peer, second, code, again);
      const { data } = await told.until("SIPRequestDidFail");
      assertEquals([data.code, data.headers.text(names[code][0])], [code, challengeText(again)]);
      assertEquals(request.cseq, 2);
      // 3 tries against endless stale=true are too many; here are 2.
      assertEquals(peer.pending.length, 0);
    }
  });

  it("Request replaces an Authorization of the program's by the answer for the same realm", async () => {
    await using peer = await Peer.open();
    // As an IMS network wants it from the beginning (3GPP TS 24.229, section 5.1.1.2).
    const given = (realm: string) =>
      `Digest username="alice", realm="${realm}", nonce="", uri="sip:x", response=""`;
    const kept = [given("other.example"), "Bearer abc", "Digest"];
    send(peer, {
      extraHeaders: [
        new Header("authorization", given("example.net")),
        ...kept.map((body) => new Header("Authorization", body)),
        new Header("Proxy-Authorization", given("example.net")),
      ],
    });
    const first = await peer.next();
    assertEquals(first.headers.get("authorization"), [given("example.net"), ...kept]);
    const second = await answerTo(peer, first, 401, md5);
    const values = second.headers.get("authorization")!;
    assertEquals(values.slice(0, -1), kept);
    assert(answers(values.at(-1)!, md5, { method: "MESSAGE", user, password }));
    assertEquals(second.headers.get("proxy-authorization"), [given("example.net")]);
    peer.respond(second, 200);
  });

  it("Request hears a challenge once: what repeats it, or comes late, changes nothing", async () => {
    await using peer = await Peer.open();
    const request = send(peer);
    const story = finalOf(request);
    const first = await peer.next();
    const text = peer.respond(first, 401, { headers: { "WWW-Authenticate": challengeText(md5) } }).text;
    const second = await peer.next();
    for (let count = 0; count < 3; count++) peer.send(text, first.port);
    const late = peer.respond(first, 200).text;
    peer.send(late, first.port);
    peer.respond(second, 202);
    assertEquals(await story, ["DidSucceed", 202]);
    // The answer of another request, replayed.
    const next = send(peer, { credentials: null });
    peer.send(late, first.port);
    peer.send(text, first.port);
    peer.respond(await peer.next(), 404);
    assertEquals(await finalOf(next), ["DidFail", 404]);
    assertEquals(peer.received.length, 3);
  });

  it("Request fails with a challenge that is malformed, monstrous or asks for what nobody has", async () => {
    await using peer = await Peer.open();
    using exceptions = new Told("SIPEngineGotException");
    const long = "x".repeat(3000);
    const odd = [
      'Basic realm="example.net"',
      'Digest realm="example.net"',
      "Digest",
      `Digest realm="${long}", nonce="n", algorithm=MD5`,
      `Digest realm="example.net", nonce="${long}", algorithm=MD5`,
      `Digest realm="example.net", nonce="n", opaque="${long}", algorithm=MD5`,
      'Digest realm="example.net", nonce="n", algorithm=MD5-sess, qop="auth"',
      'Digest realm="example.net", nonce="n", algorithm=SHA-1',
      'Digest realm="example.net", nonce="n", algorithm=AKAv1-MD5',
      'Digest realm="example.net", nonce="n", qop="auth-int"',
      'Digest realm="example.net", nonce="n',
      'Digest realm="example.net", nonce="n\\", qop="auth"',
      'Bearer authz_server="https://example.net", scope="sip"',
      "Digest realm=, nonce=, algorithm=",
      `Digest ${'x="y", '.repeat(2000)}z="1"`,
    ];
    for (const value of odd) {
      const request = requestTo(peer, { credentials });
      using told = new Told(...requestNames);
      request.send({ timeout: 0.5 });
      const first = await peer.next();
      challenge(peer, first, 401, value);
      // Some say nothing that can be answered, some are no SIP that PJSIP takes, some are answered with what they are.
      await until(
        () => told.of("SIPRequestDidFail").length > 0 || peer.pending.length > 0,
        value.slice(0, 80),
      );
      if (peer.pending.length > 0) {
        const second = await peer.next();
        assertEquals(cseqOf(second).number, 2, value.slice(0, 80));
        peer.respond(second, 403);
      }
      const { data } = await told.until("SIPRequestDidFail");
      assert([401, 403, 408].includes(data.code), `${data.code} ${value.slice(0, 80)}`);
      await told.until("SIPRequestDidEnd");
      assertEquals(told.of("SIPRequestDidFail").length, 1);
    }
    // A hundred realms: eight are answered.
    const request = send(peer);
    const many = Array.from({ length: 100 }, (_, index) => ({ ...md5, realm: `r${index}` }));
    const second = await answerTo(peer, await peer.next(), 401, ...many);
    assertEquals(second.headers.get("authorization")?.length, 8);
    peer.respond(second, 200);
    assertEquals(await finalOf(request), ["DidSucceed", 200]);
    assertEquals(exceptions.notes, []);
  });

  it("Request fails with code 0 when the answer to a challenge cannot be sent", async () => {
    await using peer = await Peer.open();
    // The first fills a datagram.
    const request = send(peer, { contentType: "text/plain", body: "x".repeat(64_900) });
    const story = finalOf(request);
    challenge(peer, await peer.next(), 401, { ...md5, nonce: "n".repeat(1500) });
    assertEquals(await story, ["DidFail", 0]);
    assertEquals([request.cseq, request.state], [2, "TERMINATED"]);
  });

  it("Request.end() and a time that is out stop the answer to a challenge", async () => {
    await using peer = await Peer.open();
    for (let count = 0; count < 20; count++) {
      const request = send(peer);
      const story = finalOf(request);
      const first = await peer.next();
      challenge(peer, first, 401, md5);
      // Somewhere between the challenge and what answers it.
      await new Promise((resolve) => setTimeout(resolve, count / 10));
      request.end();
      assertEquals(await story, ["DidFail", 408]);
      while (peer.pending.length) await peer.next();
    }
  });

  it("Request tells the password to nobody: not in the log, the trace or an error", async () => {
    await using peer = await Peer.open();
    const secret = "correct horse battery staple";
    const said: string[] = [];
    using _observer = new NotificationCenter().addObserver(({ name, data }) => {
      said.push(`${name} ${JSON.stringify(data)} ${"headers" in data ? data.headers : ""}`);
    });
    const engine = new Engine();
    const before = [engine.logLevel, engine.traceSip] as const;
    engine.logLevel = 6;
    engine.traceSip = true;
    try {
      const request = send(peer, { credentials: new Credentials(user, secret) });
      const second = await answerTo(peer, await peer.next(), 401, sha256);
      peer.respond(second, 401, { headers: { "WWW-Authenticate": challengeText(sha256) } });
      assertEquals(await finalOf(request), ["DidFail", 401]);
      said.push(String(request.credentials));
      const all = said.join("\n");
      assert(all.includes("Authorization"), "the trace was heard");
      assert(all.includes("SIPEngineLog"), "the log was heard");
      for (const word of [secret, ha1("SHA-256", user, "example.net", secret)]) {
        assert(!all.includes(word), "the password was told");
      }
    } finally {
      [engine.logLevel, engine.traceSip] = before;
    }
  });
});
