// SPDX-License-Identifier: GPL-2.0-or-later
/** What is answered before a dialog or a transaction exists: each with a message of its own. */
import { after, before, describe, it } from "node:test";
import { connect, type Socket } from "node:net";
import { once } from "node:events";
import { assert, assertEquals } from "@std/assert";
import { deadline } from "@std/async";
import { type Engine, type IncomingRequest, NotificationCenter, type SIPNotification } from "../mod.ts";
import { silentSdp } from "./support/calls.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { Peer, type PeerMessage } from "./support/peer.ts";
import { callPeer } from "./support/peer_calls.ts";

describe("The parse guard", () => {
  let engine: Engine;
  before(async () => {
    engine = await startEngine({ incomingRequests: ["MESSAGE", "REGISTER"] });
  });
  after(stopEngine);

  const own = () => `sip:bob@127.0.0.1:${engine.udpPort}`;
  let count = 0;

  /** A request as text; `changes` are made in it one after the other. */
  function text(
    peer: Peer,
    method: string,
    ...changes: readonly (readonly [what: string | RegExp, by: string])[]
  ): string {
    const id = `guard${++count}x`;
    let message = [
      `${method} sip:bob@127.0.0.1:${engine.udpPort} SIP/2.0`,
      `Via: SIP/2.0/UDP 127.0.0.1:${peer.port};rport;branch=z9hG4bK${id}`,
      "Max-Forwards: 70",
      `From: <sip:peer@127.0.0.1:${peer.port}>;tag=1`,
      `To: <sip:bob@127.0.0.1:${engine.udpPort}>`,
      `Call-ID: ${id}`,
      `CSeq: 7 ${method}`,
      `Contact: <sip:peer@127.0.0.1:${peer.port}>`,
      "Content-Length: 0",
      "",
      "",
    ].join("\r\n");
    for (const [what, by] of changes) {
      assert(message.search(what) >= 0, `${what} is not there`);
      message = message.replace(what, () => by);
    }
    return message;
  }

  async function isAlive(peer: Peer): Promise<void> {
    peer.send(text(peer, "OPTIONS", [/tag=1/, "tag=alive"]), engine.udpPort!);
    for (;;) {
      const answer = await peer.next();
      if (answer.text.includes("tag=alive")) return assertEquals(answer.code, 200);
      throw new Error(`Nothing was to come but\n${answer.text.slice(0, 1000)}`);
    }
  }

  /** The answer to it, which must be the only one, also when it comes again. */
  async function answerTo(peer: Peer, message: string): Promise<PeerMessage> {
    peer.send(message, engine.udpPort!);
    const answer = await peer.next();
    peer.send(message, engine.udpPort!);
    const again = answer.code === 200 ? answer : await peer.next();
    assertEquals(again.text, answer.text);
    await isAlive(peer);
    return answer;
  }

  const long = "x".repeat(9000);

  /** Requests that are refused, and how. */
  const refused: Readonly<
    Record<string, readonly [code: number, ...(readonly [what: string | RegExp, by: string])[]]>
  > = {
    "a scheme that nobody knows": [416, [/sip:bob\S*/, "nobodyKnowsThisScheme:bob"]],
    "a scheme with dots": [416, [/sip:bob\S*/, "soap.beep://192.0.2.103:3002"]],
    "no scheme": [400, [/sip:bob\S*/, "bob"]],
    "brackets around its URI": [400, [/sip:bob\S*/, "<sip:bob@127.0.0.1>"]],
    "a URI of 3,000 characters": [414, [/sip:bob/, `sip:${"b".repeat(3000)}`]],
    "a URI of 60,000 characters": [414, [/sip:bob/, `sip:${"b".repeat(60_000)}`]],
    "another version": [505, [/SIP\/2\.0/, "SIP/7.0"]],
    "another version in Via as well": [505, [/SIP\/2\.0/, "SIP/3.0"], [/SIP\/2\.0\/UDP/, "SIP/3.0/UDP"]],
    "no From": [400, [/From: .*\r\n/, ""]],
    "no To": [400, [/To: .*\r\n/, ""]],
    "no Call-ID": [400, [/Call-ID: .*\r\n/, ""]],
    "an empty Call-ID": [400, [/Call-ID: .*\r\n/, "Call-ID: \r\n"]],
    "another method in CSeq": [400, [/CSeq: 7 \w+/, "CSeq: 7 SUBSCRIBE"]],
    "two Call-IDs": [400, [/Call-ID/, "Call-ID: another\r\nCall-ID"]],
    "two Froms": [400, [/From/, "From: <sip:x@127.0.0.1>;tag=2\r\nFrom"]],
    "two lengths": [400, [/Content-Length/, "Content-Length: 3\r\nContent-Length"]],
    "a negative length": [400, [/Content-Length: 0/, "Content-Length: -1"]],
    "a length of 2 to the 32": [400, [/Content-Length: 0/, "Content-Length: 4294967296"]],
    "a length of 2 to the 64": [400, [/Content-Length: 0/, "Content-Length: 18446744073709551616"]],
    "a length that the datagram does not have": [400, [/Content-Length: 0/, "Content-Length: 5"]],
    "a CSeq of 2 to the 64": [400, [/CSeq: 7/, "CSeq: 18446744073709551616"]],
    "a quote that does not end": [400, [/To: /, 'To: "bob ']],
    "a quote that ends behind a backslash": [400, [/To: /, 'To: "bob\\" ']],
    "nothing but backslashes in a quote": [400, [/To: /, `To: "${"\\".repeat(4001)}" `]],
    "a header line of 9,000 characters": [400, [/Contact/, `X-Long: ${long}\r\nContact`]],
    "a header name of 9,000 characters": [400, [/Contact/, `${long}: y\r\nContact`]],
    "a folded header of 9,000 characters": [400, [/Contact/, `X: ${"x\r\n ".repeat(2250)}y\r\nContact`]],
    "50,000 characters of headers": [513, [/Contact/, `${`X: ${"x".repeat(1000)}\r\n`.repeat(50)}Contact`]],
    "2,500 headers": [400, [/Contact/, `${"X: y\r\n".repeat(2500)}Contact`]],
    "1,000 proxies in its Via": [
      400,
      [/branch=.*/, `branch=z9hG4bKvias${",SIP/2.0/UDP 127.0.0.1".repeat(300)}`],
    ],
    "a Contact that holds 3,000 URIs": [400, [/Contact: .*/, `Contact: ${"sip:a,".repeat(1350)}sip:a`], [
      /Contact/,
      `Contact: ${"sip:a,".repeat(1350)}sip:a\r\nContact`,
    ]],
    "a Via that cannot be read": [400, [/Via: .*/, "Via: SIP/2.0/UDP 127.0.0.1;;,;,,"]],
    "a Record-Route of another scheme": [400, [/Contact/, "Record-Route: <tel:+1>\r\nContact"]],
    "a Record-Route of a scheme that nobody knows": [400, [/Contact/, "Record-Route: <foo:bar>\r\nContact"]],
    "a header without a colon": [400, [/Contact/, "what is this\r\nContact"]],
  };

  for (const [what, [code, ...changes]] of Object.entries(refused)) {
    it(`Engine answers a request with ${what} ${code}`, async () => {
      await using peer = await Peer.open({ keepRetransmissions: true });
      for (const method of ["MESSAGE", "INVITE", "OPTIONS"]) {
        const message = text(peer, method, ...changes);
        const answer = await answerTo(peer, message);
        assertEquals(answer.code, code, answer.text);
        assertEquals(answer.headers.get("cseq"), [/^CSeq: (.*?)\r$/m.exec(message)![1]!.trim()]);
        if (answer.headers.has("to")) assert(answer.headers.get("to")![0]!.includes(";tag="), answer.text);
      }
      // Nobody answers an ACK.
      peer.send(text(peer, "ACK", ...changes), engine.udpPort!);
      await isAlive(peer);
    });
  }

  it("Engine answers to the port that Via names when it has no rport", async () => {
    await using other = await Peer.open();
    await using peer = await Peer.open();
    const via = [/127\.0\.0\.1:\d+;rport/, `127.0.0.1:${other.port}`] as const;
    peer.send(text(peer, "MESSAGE", via, [/SIP\/2\.0/, "SIP/7.0"]), engine.udpPort!);
    const answer = await other.next();
    assertEquals(answer.code, 505);
    assert(answer.headers.get("via")![0]!.includes("received=127.0.0.1"));
    await isAlive(peer);
  });

  it("SIPEngineSIPTrace shows what cannot be parsed, and its answer", async () => {
    await using peer = await Peer.open();
    engine.traceSip = true;
    await using traces = engine.notifications("SIPEngineSIPTrace");
    peer.send(text(peer, "MESSAGE", [/SIP\/2\.0/, "SIP/7.0"]), engine.udpPort!);
    assertEquals((await peer.next()).code, 505);
    const seen: string[] = [];
    for await (const { data } of traces) {
      seen.push(`${data.received ? "in" : "out"} ${data.data.split("\r\n")[0]}`);
      if (seen.length === 2) break;
    }
    engine.traceSip = false;
    assertEquals(seen, [`in MESSAGE ${own()} SIP/7.0`, "out SIP/2.0 505 Version Not Supported"]);
  });

  it("Engine passes over what has no Via, no CSeq, no request line, and responses that cannot be parsed", async () => {
    await using peer = await Peer.open();
    for (
      const changes of [
        [/Via: .*\r\n/, "X: y\r\n"],
        [/CSeq: .*\r\n/, ""],
        [/ SIP\/2\.0/, ""],
        [/^.* SIP\/2\.0/, "SIP/2.0 200"],
        [/^.* SIP\/2\.0/, "SIP/2.0 abc OK"],
        [/^.* SIP\/2\.0/, "SIP/7.0 200 OK"],
      ] as const
    ) peer.send(text(peer, "MESSAGE", changes), engine.udpPort!);
    await isAlive(peer);
  });

  /** The next MESSAGE or REGISTER that comes to the program. */
  function nextRequest(): Promise<SIPNotification<"SIPIncomingRequestGotRequest">> {
    return deadline(new NotificationCenter().once("SIPIncomingRequestGotRequest"), 4000);
  }

  async function take(peer: Peer, message: string): Promise<SIPNotification<"SIPIncomingRequestGotRequest">> {
    const coming = nextRequest();
    peer.send(message, engine.udpPort!);
    const note = await coming;
    (note.sender as IncomingRequest).answer(200);
    assertEquals((await peer.next()).code, 200);
    return note;
  }

  it("IncomingRequest has no more of a datagram than Content-Length says", async () => {
    await using peer = await Peer.open();
    const more = "\r\n\r\nhelloINVITE sip:a@b SIP/2.0\r\n\r\n";
    const { data } = await take(
      peer,
      text(peer, "MESSAGE", [
        /Content-Length: 0\r\n\r\n/,
        `Content-Type: text/plain\r\nContent-Length: 5${more}`,
      ]),
    );
    assertEquals(data.body, "hello");
  });

  it("IncomingRequest has the header of a scheme of authentication that nobody knows", async () => {
    await using peer = await Peer.open();
    for (
      const scheme of [
        "NoOneKnowsThisScheme opaque-data=here",
        "Basic YTpi",
        "Bearer x",
        "Digestive a=b",
        "x",
      ]
    ) {
      const { data } = await take(
        peer,
        text(peer, "REGISTER", [/Contact/, `Authorization: ${scheme}\r\nContact`]),
      );
      assertEquals(data.headers.get("Authorization")?.body, scheme);
    }
  });

  it("Invitation comes of an INVITE of RFC 2543 without a Contact", async () => {
    await using peer = await Peer.open({ keepRetransmissions: true });
    const coming = deadline(
      new NotificationCenter().once("SIPInvitationChangedState", {
        where: ({ data }) => data.state === "incoming",
      }),
      4000,
    );
    const old = [/;branch=.*/, ""] as const;
    const invite = text(peer, "INVITE", old, [/Contact: .*\r\n/, ""]);
    peer.send(invite, engine.udpPort!);
    const { sender } = await coming;
    sender.sendResponse(486);
    const busy = await peer.next({ code: 486 });
    const ack = invite.replaceAll("INVITE", "ACK").replace(/To: .*/, `To: ${busy.headers.get("to")}`);
    peer.send(ack, engine.udpPort!);
    // One of RFC 3261 must have it.
    const answer = await answerTo(peer, text(peer, "INVITE", [/Contact: .*\r\n/, ""]));
    assertEquals(answer.code, 400);
  });

  it("Invitation comes of an offer with an empty session name", async () => {
    await using peer = await Peer.open();
    const coming = deadline(
      new NotificationCenter().once("SIPInvitationChangedState", {
        where: ({ data }) => data.state === "incoming",
      }),
      4000,
    );
    const invite = peer.request("INVITE", {
      uri: `sip:bob@127.0.0.1:${engine.udpPort}`,
      body: silentSdp.toString().replace("s=-", "s="),
    });
    const { sender } = await coming;
    assertEquals(sender.sdp.proposedRemote?.media.length, 1);
    sender.sendResponse(200, { sdp: silentSdp });
    peer.ack(await peer.next({ code: 200 }));
    peer.respond(await (sender.end(), peer.next({ method: "BYE" })), 200);
    assertEquals(invite.method, "INVITE");
  });

  /** Bodies of several parts with none, or with what is no part. */
  const parts = [
    ["--b--", "b"],
    ["--b--\r\n", "b"],
    ["--b\r\n--b--", "b"],
    ["--b\r\n\r\n--b--", "b"],
    ["--b\r\nContent-Type: a/b\r\n--b--", "b"],
    ["--b", "b"],
    ["", "b"],
    ["----", '""'],
    ["-".repeat(9000), "-".repeat(4000)],
  ] as const;

  it("Engine takes a body of several parts that has none", async () => {
    await using peer = await Peer.open();
    for (const [body, boundary] of parts) {
      const type =
        `Content-Type: multipart/mixed;boundary=${boundary}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
      const { data } = await take(peer, text(peer, "MESSAGE", [/Content-Length: 0\r\n\r\n/, type]));
      const got = data.body ?? "";
      assertEquals(typeof got === "string" ? got : new TextDecoder().decode(got), body);
      const invite = text(peer, "INVITE", [/Content-Length: 0\r\n\r\n/, type]);
      peer.send(invite, engine.udpPort!);
      let answer = await peer.next();
      while (answer.code! < 200) answer = await peer.next();
      // Nobody listens: what could be taken is turned down.
      assert([415, 480, 488, 400].includes(answer.code!), `${answer.code}`);
      const ack = invite.split("\r\nContent-")[0]!.replaceAll("INVITE", "ACK");
      peer.send(
        `${ack.replace(/To: .*/, `To: ${answer.headers.get("to")}`)}\r\nContent-Length: 0\r\n\r\n`,
        engine.udpPort!,
      );
      await isAlive(peer);
    }
  });

  it("Invitation ends cleanly when it is answered with a body of several parts that has none", async () => {
    await using peer = await Peer.open();
    for (const [body, boundary] of parts) {
      if (body === "") continue;
      const { story, invite } = await callPeer(peer);
      peer.respond(invite, 200, { body, contentType: `multipart/mixed;boundary=${boundary}` });
      await peer.next({ method: "ACK" });
      peer.respond(await peer.next({ method: "BYE" }), 200);
      await story.end();
      assertEquals(story.changes.at(-1), "disconnecting -> disconnected");
    }
    await isAlive(peer);
  });

  it("Engine is not delayed by a datagram that is long to parse", async () => {
    await using peer = await Peer.open();
    const begun = performance.now();
    const uris = [/Contact: .*/, `Contact: ${"sip:a,".repeat(10_000)}sip:a`] as const;
    for (let i = 0; i < 5; i++) peer.send(text(peer, "OPTIONS", uris), engine.udpPort!);
    for (let i = 0; i < 5; i++) assertEquals((await peer.next()).code, 400);
    await isAlive(peer);
    assert(performance.now() - begun < 250, `${performance.now() - begun} ms`);
  });

  describe("on a stream", () => {
    async function open(): Promise<{ socket: Socket; got: () => string; closed: Promise<unknown> }> {
      const socket = connect(engine.tcpPort!, "127.0.0.1");
      let received = "";
      socket.on("data", (data) => received += data.toString("latin1"));
      socket.on("error", () => {});
      const closed = deadline(once(socket, "close"), 4000);
      closed.catch(() => {});
      await once(socket, "connect");
      return { socket, got: () => received, closed };
    }

    const unending: Readonly<Record<string, readonly [number, RegExp, string]>> = {
      "without a length": [400, /Content-Length: 0\r\n/, ""],
      "with a negative length": [400, /Content-Length: 0/, "Content-Length: -1"],
      "with a length of 2 to the 32": [400, /Content-Length: 0/, "Content-Length: 4294967301"],
      "with a length of 2 to the 64": [400, /Content-Length: 0/, "Content-Length: 18446744073709551621"],
      "with a body of 70,000 bytes": [
        513,
        /Content-Length: 0\r\n\r\n/,
        `Content-Length: 70000\r\n\r\n${"x".repeat(70_000)}`,
      ],
      "with headers of 70,000 bytes": [513, /Contact/, `${`X: ${"x".repeat(500)}\r\n`.repeat(140)}Contact`],
    };
    for (const [what, [code, ...change]] of Object.entries(unending)) {
      it(`Engine answers a request ${what} ${code} and closes the connection`, async () => {
        await using peer = await Peer.open();
        const { socket, got, closed } = await open();
        socket.write(text(peer, "MESSAGE", change, [/UDP/, "TCP"]), "latin1");
        await closed;
        assert(got().startsWith(`SIP/2.0 ${code} `), got().slice(0, 500));
        assertEquals(got().match(/^SIP\/2\.0 /gm)?.length, 1);
        await isAlive(peer);
      });
    }

    it("Engine goes on behind a request that it cannot parse", async () => {
      await using peer = await Peer.open();
      const { socket, got, closed } = await open();
      const tcp = [/UDP/, "TCP"] as const;
      socket.write(text(peer, "OPTIONS", tcp, [/SIP\/2\.0/, "SIP/7.0"]) + text(peer, "OPTIONS", tcp));
      while (!got().includes("SIP/2.0 200")) await deadline(once(socket, "data"), 4000);
      assertEquals(got().match(/^SIP\/2\.0 \d+/gm), ["SIP/2.0 505", "SIP/2.0 200"]);
      socket.destroy();
      await closed;
    });
  });
});
