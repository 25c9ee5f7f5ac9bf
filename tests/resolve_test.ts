// SPDX-License-Identifier: GPL-2.0-or-later
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { isIP } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, it } from "node:test";
import { assert, assertEquals, assertLess, assertMatch, assertRejects } from "@std/assert";
import { delay } from "@std/async";
import fc from "fast-check";
import { nameSettings } from "../core/names.ts";
import { orderRecords } from "../core/srv_record.ts";
import { Invitation, resolve, type RouteHeader, SIPCoreError, SIPURI } from "../mod.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { NameServer, naptr, srv } from "./support/name_server.ts";
import { Peer } from "./support/peer.ts";
import { callPeer, inviteOptions } from "./support/peer_calls.ts";
import { Story } from "./support/story.ts";

/** The routes as they print, without what is the same in all. */
function printed(routes: readonly RouteHeader[]): string[] {
  return routes.map((route) => `${route.uri}`.replace("sip:", ""));
}

async function routesTo(uri: string): Promise<string[]> {
  return printed(await resolve(SIPURI.parse(uri)));
}

function failureOf(uri: string): Promise<SIPCoreError> {
  return assertRejects(() => resolve(SIPURI.parse(uri)), SIPCoreError);
}

/** A domain with all that RFC 3263 knows. */
function wholeDomain(server: NameServer): NameServer {
  return server
    .set("example.test", {
      A: ["192.0.2.99"],
      NAPTR: [
        naptr("SIP+D2U", "_sip._udp.example.test", 100),
        naptr("SIPS+D2T", "_sips._tcp.example.test", 50),
        naptr("sip+d2t", "_sip._tcp.example.test", 90, 2),
        naptr("SIP+D2S", "_sip._sctp.example.test", 1),
        naptr("E2U+sip", "", 2),
      ],
    })
    .set("_sips._tcp.example.test", { SRV: [srv("a.example.test", 5061, 1), srv("b.example.test", 5071, 2)] })
    .set("_sip._tcp.example.test", { SRV: [srv("b.example.test", 5070)] })
    .set("_sip._udp.example.test", { SRV: [srv("a.example.test", 5060)] })
    .set("a.example.test", { A: ["192.0.2.1"], AAAA: ["2001:db8::1"] })
    .set("b.example.test", { A: ["192.0.2.2"] });
}

describe("resolve()", () => {
  it("follows NAPTR to SRV to addresses, in the order of each", async () => {
    await using server = wholeDomain(await NameServer.open());
    assertEquals(await routesTo("sip:bob@example.test"), [
      "192.0.2.1;transport=tls;tlsName=example.test",
      "[2001:db8::1];transport=tls;tlsName=example.test",
      "192.0.2.2:5071;transport=tls;tlsName=example.test",
      "192.0.2.2:5070;transport=tcp",
      "192.0.2.1",
      "[2001:db8::1]",
    ]);
    assertEquals(server.asked.filter((question) => question === "A a.example.test").length, 1);
    assert(!server.asked.some((question) => /sctp|[A]+ example\.test$/.test(question)));
  });

  it("orders NAPTR records of one order by their preference", async () => {
    await using server = await NameServer.open();
    server.set("example.test", {
      NAPTR: [
        naptr("SIP+D2U", "_sip._udp.example.test", 1, 20),
        naptr("SIP+D2T", "_sip._tcp.example.test", 1, 10),
      ],
    });
    for (const name of ["_sip._udp", "_sip._tcp"]) {
      server.set(`${name}.example.test`, { SRV: [srv("a.test", 5060)] });
    }
    server.set("a.test", { A: ["192.0.2.1"] });
    assertEquals(await routesTo("sip:example.test"), ["192.0.2.1;transport=tcp", "192.0.2.1"]);
  });

  it("asks for SRV records of UDP and TCP where there is no NAPTR record", async () => {
    await using server = wholeDomain(await NameServer.open());
    server.set("example.test", { A: ["192.0.2.99"] });
    assertEquals(await routesTo("sip:bob@Example.TEST."), [
      "192.0.2.1",
      "[2001:db8::1]",
      "192.0.2.2:5070;transport=tcp",
    ]);
  });

  it("passes over NAPTR records that lead nowhere or are none of ours", async () => {
    await using server = wholeDomain(await NameServer.open());
    const good = naptr("SIP+D2U", "_sip._udp.example.test");
    server.set("example.test", {
      NAPTR: [
        { ...good, flags: "u" },
        { ...good, flags: "" },
        { ...good, regexp: "!^.*$!sip:mallory@evil.test!" },
        naptr("SIP+D2T", "_sip._tcp.nobody.test"),
        naptr("", "_sip._udp.example.test"),
      ],
    });
    assertEquals(await routesTo("sip:bob@example.test"), [
      "192.0.2.1",
      "[2001:db8::1]",
      "192.0.2.2:5070;transport=tcp",
    ]);
  });

  it("takes the host's own addresses where there is no SRV record", async () => {
    await using server = await NameServer.open();
    server.set("four.test", { A: ["192.0.2.1", "192.0.2.1"] });
    server.set("six.test", { AAAA: ["2001:db8::6"] });
    server.set("both.test", { AAAA: ["2001:db8::6"], A: ["192.0.2.1"] });
    assertEquals(await routesTo("sip:four.test"), ["192.0.2.1"]);
    assertEquals(await routesTo("sip:six.test"), ["[2001:db8::6]"]);
    assertEquals(await routesTo("sip:both.test"), ["192.0.2.1", "[2001:db8::6]"]);
    const asked = ["NAPTR four.test", "SRV _sip._tcp.four.test", "SRV _sip._udp.four.test"];
    const order = ["A four.test", "AAAA four.test"];
    assertEquals(server.asked.filter((question) => question.endsWith("four.test")).sort(), [
      ...order,
      ...asked,
    ]);
  });

  it("leads a sips URI to TLS only", async () => {
    await using server = wholeDomain(await NameServer.open());
    const tls = [
      "192.0.2.1;transport=tls;tlsName=example.test",
      "[2001:db8::1];transport=tls;tlsName=example.test",
      "192.0.2.2:5071;transport=tls;tlsName=example.test",
    ];
    assertEquals(await routesTo("sips:bob@example.test"), tls);
    assert(!server.asked.some((question) => question.includes("_sip.")));
    server.set("example.test", { A: ["192.0.2.99"] });
    assertEquals(await routesTo("sips:bob@example.test"), tls);
    assertEquals(await routesTo("sips:bob@example.test;transport=tcp"), tls);
    server.set("_sips._tcp.example.test", {});
    assertEquals(await routesTo("sips:bob@example.test."), ["192.0.2.99;transport=tls;tlsName=example.test"]);
    assertEquals(await routesTo("sips:example.test:5099"), [
      "192.0.2.99:5099;transport=tls;tlsName=example.test",
    ]);
    assertEquals((await failureOf("sips:example.test;transport=udp")).code, "NOT_FOUND");
  });

  it("asks for no NAPTR record where the URI names the transport", async () => {
    await using server = wholeDomain(await NameServer.open());
    assertEquals(await routesTo("sip:example.test;transport=TCP"), ["192.0.2.2:5070;transport=tcp"]);
    assertEquals(await routesTo("sip:example.test;transport=udp"), ["192.0.2.1", "[2001:db8::1]"]);
    assertEquals((await routesTo("sip:example.test;transport=tls")).length, 3);
    assertEquals(await routesTo("sip:b.example.test;transport=tcp"), ["192.0.2.2;transport=tcp"]);
    assertEquals(await routesTo("sip:b.example.test;Transport=tls"), [
      "192.0.2.2;transport=tls;tlsName=b.example.test",
    ]);
    assert(!server.asked.some((question) => question.startsWith("NAPTR")));
    for (const transport of ["sctp", "ws", "", "tls-sctp"]) {
      const error = await failureOf(`sip:example.test;transport=${transport}`);
      assertEquals(error.code, "NOT_FOUND");
      assertMatch(error.message, /"example\.test".*transport/);
    }
  });

  it("asks for addresses alone where the URI names the port", async () => {
    await using server = wholeDomain(await NameServer.open());
    assertEquals(await routesTo("sip:example.test:5060"), ["192.0.2.99"]);
    assertEquals(await routesTo("sip:example.test:5070"), ["192.0.2.99:5070"]);
    assertEquals(await routesTo("sip:example.test:5061;transport=tls"), [
      "192.0.2.99;transport=tls;tlsName=example.test",
    ]);
    assert(server.asked.every((question) => /^A+ example\.test$/.test(question)));
  });

  it("asks nobody about an IP address", async () => {
    await using server = await NameServer.open();
    for (
      const [uri, route] of [
        ["sip:bob@192.0.2.1", "192.0.2.1"],
        ["sip:192.0.2.1:5080;transport=tcp", "192.0.2.1:5080;transport=tcp"],
        ["sip:bob@[2001:db8::1]", "[2001:db8::1]"],
        ["sip:bob@[2001:db8::1]:5062", "[2001:db8::1]:5062"],
        ["sips:bob@[2001:db8::1]", "[2001:db8::1];transport=tls"],
        ["sips:192.0.2.1:5060", "192.0.2.1:5060;transport=tls"],
        ["sip:192.0.2.1;transport=tls", "192.0.2.1;transport=tls"],
      ] as const
    ) assertEquals(await routesTo(uri), [route]);
    assertEquals(server.asked, []);
  });

  it("takes maddr in the place of the host, and the host for the certificate", async () => {
    await using server = wholeDomain(await NameServer.open());
    assertEquals(await routesTo("sip:bob@nobody.test;maddr=192.0.2.7"), ["192.0.2.7"]);
    assertEquals(await routesTo("sip:bob@nobody.test:5099;maddr=[2001:db8::7]"), ["[2001:db8::7]:5099"]);
    assertEquals(await routesTo("sips:bob@nobody.test;maddr=192.0.2.7"), [
      "192.0.2.7;transport=tls;tlsName=nobody.test",
    ]);
    assertEquals(await routesTo("sip:bob@192.0.2.1;MADDR=b.example.test"), ["192.0.2.2"]);
    assertEquals(
      (await routesTo("sips:nobody.test;maddr=example.test"))[0],
      [
        "192.0.2.1;transport=tls;tlsName=nobody.test",
      ][0],
    );
    assert(!server.asked.some((question) => question.includes("nobody")));
    for (const maddr of ["maddr", "maddr=", "maddr=a%20b", "maddr=[::1", "maddr=.", "maddr=1.2.3"]) {
      assertEquals((await failureOf(`sip:example.test;${maddr}`)).code, "NOT_FOUND", maddr);
    }
  });

  it("follows CNAME records, and not in circles", async () => {
    await using server = await NameServer.open();
    server.set("www.test", { CNAME: "mid.test" }).set("mid.test", { CNAME: "end.test" });
    server.set("end.test", { A: ["192.0.2.3"], SRV: [srv("end.test", 5088)] });
    server.set("_sip._udp.srv.test", { CNAME: "end.test" });
    server.set("self.test", { CNAME: "self.test" });
    server.set("ping.test", { CNAME: "pong.test" }).set("pong.test", { CNAME: "ping.test" });
    assertEquals(await routesTo("sip:www.test:5070"), ["192.0.2.3:5070"]);
    assertEquals(await routesTo("sip:srv.test"), ["192.0.2.3:5088"]);
    for (const name of ["self.test", "ping.test"]) {
      const error = await failureOf(`sip:${name}:5070`);
      assertMatch(error.message, new RegExp(`"${name}"`));
    }
  });

  it("tries lower priorities first and draws lots by weight", async () => {
    const lots = [0.99, 0, 0.5];
    await using server = await NameServer.open({ random: () => lots.shift() ?? 0 });
    server.set("_sip._udp.example.test", {
      SRV: [
        srv("d.test", 4, 20, 7),
        srv("a.test", 1, 10, 10),
        srv("b.test", 2, 10, 20),
        srv("c.test", 3, 10, 70),
        srv("z.test", 5, 0, 0),
      ],
    });
    for (const [index, name] of ["a", "b", "c", "d", "z"].entries()) {
      server.set(`${name}.test`, { A: [`192.0.2.${index + 1}`] });
    }
    lots.unshift(0.9); // for the one of priority 0
    assertEquals(await routesTo("sip:example.test"), [
      "192.0.2.5:5",
      "192.0.2.3:3",
      "192.0.2.1:1",
      "192.0.2.2:2",
      "192.0.2.4:4",
    ]);
  });

  it("gives every server the share of its weight", async () => {
    await using server = await NameServer.open();
    server.set("_sip._udp.example.test", { SRV: [srv("a.test", 1, 0, 10), srv("b.test", 2, 0, 30)] });
    server.set("a.test", { A: ["192.0.2.1"] }).set("b.test", { A: ["192.0.2.2"] });
    let first = 0;
    for (let count = 0; count < 200; count++) {
      const routes = await routesTo("sip:example.test;transport=udp");
      assertEquals(routes.length, 2);
      if (routes[0] === "192.0.2.2:2") first++;
    }
    // 150 are to be expected; the chance of less than 115 or more than 185 is below one in ten million.
    assert(first > 115 && first < 185, `${first} of 200`);
  });

  it("says NOT_FOUND and the name where there is none", async () => {
    await using server = await NameServer.open();
    server.set("empty.test", {});
    for (const name of ["nobody.test", "empty.test"]) {
      const error = await failureOf(`sip:bob:secret@${name}`);
      assertEquals([error.code, error.message], ["NOT_FOUND", `There is no route to "${name}"`]);
      assert(server.asked.includes(`AAAA ${name}`));
    }
  });

  it("asks nobody about what is no name", async () => {
    await using server = await NameServer.open();
    const wrong = ["a..b", ".", "..", "1.2.3", "256.1.1.1", `${"x".repeat(64)}.test`, "x.".repeat(130) + "y"];
    for (const host of [...wrong, "::1::", "1:2", ":::"]) {
      const error = await assertRejects(() => resolve(new SIPURI({ host })), SIPCoreError);
      assertEquals(error.code, "NOT_FOUND", host);
      assert(error.message.includes(host));
    }
    assertEquals(server.asked, []);
  });

  it("takes the target . for a service that is declined", async () => {
    await using server = await NameServer.open();
    server.set("example.test", { A: ["192.0.2.1"] });
    server.set("_sip._udp.example.test", { SRV: [srv(".", 0)] });
    assertEquals((await failureOf("sip:example.test")).code, "NOT_FOUND");
    assert(!server.asked.some((question) => /^A+ /.test(question)));
    server.set("_sip._tcp.example.test", { SRV: [srv("example.test", 5060)] });
    assertEquals(await routesTo("sip:example.test"), ["192.0.2.1;transport=tcp"]);
  });

  it("waits for a silent name server no longer than it must", async () => {
    await using server = await NameServer.open({ patience: 300 });
    for (const type of ["A", "AAAA", "NAPTR"]) server.fail(`${type} silent.test`, "silent");
    for (const prefix of ["_sip._udp", "_sip._tcp"]) server.fail(`SRV ${prefix}.silent.test`, "silent");
    const start = performance.now();
    const error = await failureOf("sip:silent.test");
    const took = performance.now() - start;
    assertEquals(error.code, "NAME_SERVER");
    assertMatch(error.message, /"silent\.test": No answer within 0\.3 s/);
    assert(error.cause instanceof Error);
    assert(took > 850 && took < 2500, `${took} ms`);
    const { length } = server.asked;
    await delay(2500); // c-ares would ask again after 2 s
    assertEquals(server.asked.length, length);
  });

  it("does without the records that nobody answers for", async () => {
    await using server = await NameServer.open({ patience: 300 });
    server.fail("NAPTR example.test", "silent").fail("AAAA example.test", "silent");
    server.fail("SRV _sip._udp.example.test", "servfail").fail("SRV _sip._tcp.example.test", "garbage");
    server.set("example.test", { A: ["192.0.2.1"] });
    assertEquals(await routesTo("sip:example.test"), ["192.0.2.1"]);
  });

  it("says that the name server fails, where the runtime can tell", async () => {
    await using server = await NameServer.open();
    server.fail("A example.test", "servfail").fail("AAAA example.test", "servfail");
    const error = await failureOf("sip:example.test:5060");
    const told = "Deno" in globalThis ? "NOT_FOUND" : "NAME_SERVER";
    assertEquals(error.code, told);
    assertMatch(error.message, /"example\.test"/);
  });

  it("follows truncated answers over TCP", async () => {
    await using server = await NameServer.open();
    const names = Array.from({ length: 14 }, (_, index) => `a-rather-long-name-of-server-${index}.test`);
    server.set("_sip._udp.example.test", { SRV: names.map((name, index) => srv(name, 6000 + index, index)) });
    for (const [index, name] of names.entries()) server.set(name, { A: [`192.0.2.${index}`] });
    const routes = await routesTo("sip:example.test");
    assertEquals(routes, names.map((_, index) => `192.0.2.${index}:${6000 + index}`));
    assert(server.asked.includes("tcp SRV _sip._udp.example.test"));
  });

  it("reads the system's hosts file and knows localhost", async () => {
    const folder = await mkdtemp(join(tmpdir(), "sipcore-hosts-"));
    try {
      const hostsFile = join(folder, "hosts");
      await writeFile(
        hostsFile,
        "# 192.0.2.9 pinned.test\n192.0.2.1\tother Pinned.Test # a.pinned.test\n\n2001:db8::1 pinned.test\n" +
          "bad pinned.test\n999.1.1.1 pinned.test\n192.0.2.2 not-pinned.test\n192.0.2.3 server.test\n",
      );
      await using server = await NameServer.open({ hostsFile });
      const pinned = ["192.0.2.1", "[2001:db8::1]"];
      assertEquals(await routesTo("sip:pinned.test"), pinned);
      assertEquals(await routesTo("sip:pinned.test:5070"), pinned.map((host) => `${host}:5070`));
      assertEquals(await routesTo("sip:other"), ["192.0.2.1"]);
      assertEquals((await routesTo("sip:localhost"))[0], "127.0.0.1");
      assertEquals((await routesTo("sip:LocalHost:5070;transport=tcp"))[0], "127.0.0.1:5070;transport=tcp");
      assertEquals(server.asked, []);
      server.set("_sip._udp.example.test", { SRV: [srv("server.test", 5077)] });
      assertEquals(await routesTo("sip:example.test"), ["192.0.2.3:5077"]);
      assertEquals((await failureOf("sip:a.pinned.test")).code, "NOT_FOUND");
      nameSettings.hostsFile = join(folder, "none");
      assertEquals((await failureOf("sip:pinned.test")).code, "NOT_FOUND");
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it("lets nothing hostile into a route, and follows no more than is sane", async () => {
    await using server = await NameServer.open();
    const flood = Array.from({ length: 1200 }, (_, index) => srv(`s${index}.test`, 1 + index, index % 7));
    server.set("_sip._udp.flood.test", { SRV: flood });
    for (const { target } of flood) {
      server.set(target, {
        A: Array.from(
          { length: 200 },
          (_, index) => `10.${target.length}.${index}.${Number(target.slice(1, -5)) % 256}`,
        ),
      });
    }
    const routes = await routesTo("sip:flood.test");
    assertEquals(routes.length, 64);
    assertEquals(new Set(routes).size, 64);
    assertLess(server.asked.length, 100);
    server.set("_sip._udp.odd.test", {
      SRV: [
        srv("a.test", 0),
        srv(".", 5060),
        srv("white space.test", 5060),
        srv("new\r\nline.test", 5060),
        srv("nul\0.test", 5060),
        srv("ünï.test", 5060),
        srv("<sip:evil>.test", 5060),
        srv("192.0.2.1", 5060),
        srv("x;lr?.test", 5060),
        srv("blocked.test", 5060),
        srv("loop.test", 5060),
        srv("good.test", 5061),
      ],
    });
    server.set("a.test", { A: ["192.0.2.66"] });
    server.set("blocked.test", { A: ["0.0.0.0"], AAAA: ["::"] });
    server.set("loop.test", { CNAME: "loop.test" });
    server.set("good.test", { A: ["192.0.2.1", "192.0.2.1"] });
    assertEquals(await routesTo("sip:odd.test;transport=udp"), ["192.0.2.1:5061"]);
  });

  it("gives IP addresses and ports, whatever the records say", async () => {
    // Some of it is not even a DNS message, for which a runtime may wait as for none.
    await using server = await NameServer.open({ patience: 200 });
    server.set("good.test", { A: ["192.0.2.1"] });
    const text = fc.oneof(
      fc.constantFrom("good.test", ".", "", "_sip._udp.any.test", "_sip._tcp.any.test", "good.test."),
      fc.string({ unit: "binary", maxLength: 20 }).filter((name) =>
        // dns-packet makes a mess of others.
        name.split(".").every((label) => label !== "" && new TextEncoder().encode(label).length < 64)
      ),
    );
    const number = fc.constantFrom(0, 1, 5060, 65535);
    const record = fc.record({ target: text, port: number, priority: number, weight: number });
    const pointer = fc.record({
      order: number,
      preference: number,
      flags: fc.constantFrom("s", "S", "u", "", "\0"),
      services: fc.oneof(fc.constantFrom("SIP+D2U", "SIP+D2T", "SIPS+D2T"), fc.string({ maxLength: 9 })),
      regexp: fc.oneof({ weight: 4, arbitrary: fc.constant("") }, fc.string({ maxLength: 9 })),
      replacement: text,
    });
    const lists = [fc.array(pointer, { maxLength: 4 }), fc.array(record, { maxLength: 6 })] as const;
    await fc.assert(
      fc.asyncProperty(...lists, lists[1], async (pointers, udp, tcp) => {
        server.set("any.test", { NAPTR: pointers });
        server.set("_sip._udp.any.test", { SRV: udp }).set("_sip._tcp.any.test", { SRV: tcp });
        const routes = await resolve(SIPURI.parse("sip:any.test")).catch((error: unknown) => {
          assert(error instanceof SIPCoreError, String(error));
          return [];
        });
        for (const { uri } of routes) {
          assert(isIP(uri.host) !== 0 && uri.port !== 0);
          assertEquals([...uri.parameters.keys()].filter((name) => !/^(transport|tlsName)$/.test(name)), []);
        }
      }),
      { numRuns: 60 },
    );
  });

  const stages = ["NAPTR example.test", "SRV _sip._tcp.example.test", "AAAA a.example.test"];
  for (const question of stages) {
    it(`an abort ends it while it waits for ${question}, and asks nothing more`, async () => {
      await using server = wholeDomain(await NameServer.open());
      server.fail(question, "silent");
      const controller = new AbortController();
      const result = resolve(SIPURI.parse("sip:example.test"), { signal: controller.signal });
      await server.question(question);
      const { length } = server.asked;
      const reason = new Error("enough");
      controller.abort(reason);
      assert(await assertRejects(() => result, Error) === reason);
      await delay(2500); // c-ares would ask again after 2 s
      assertLess(server.asked.length - length, 6); // what was on its way already, once each
      assertEquals(server.asked.filter((one) => one === question).length, 1);
    });
  }

  it("asks nothing for a signal that has aborted", async () => {
    await using server = await NameServer.open();
    const signal = AbortSignal.abort("no");
    const reason = await resolve(SIPURI.parse("sip:example.test"), { signal }).catch((error) => error);
    assertEquals([reason, server.asked], ["no", []]);
    server.set("example.test", { A: ["192.0.2.1"] });
    const later = new AbortController();
    await resolve(SIPURI.parse("sip:example.test:5060"), { signal: later.signal });
    later.abort();
  });

  it("refuses other arguments", async () => {
    for (const uri of ["sip:example.test", null, undefined, {}, new URL("sip:example.test")]) {
      await assertRejects(() => resolve(uri as SIPURI), TypeError, "uri must be a BaseSIPURI");
    }
    const signal = {} as AbortSignal;
    await assertRejects(() => resolve(SIPURI.parse("sip:a.test"), { signal }), TypeError, "signal");
  });
});

describe("resolve() and Invitation", () => {
  afterEach(stopEngine);

  it("routes lead a call past a server that is away", async () => {
    await using server = await NameServer.open();
    await using peer = await Peer.open();
    server.set("example.test", {
      NAPTR: [naptr("SIP+D2T", "_sip._tcp.example.test", 1), naptr("SIP+D2U", "_sip._udp.example.test", 2)],
    });
    // Nobody has this TCP port: the peer speaks UDP alone.
    server.set("_sip._tcp.example.test", { SRV: [srv("a.example.test", peer.port)] });
    server.set("_sip._udp.example.test", { SRV: [srv("a.example.test", peer.port)] });
    server.set("a.example.test", { A: ["127.0.0.1"] });
    await startEngine();
    const requestUri = SIPURI.parse("sip:bob@example.test");
    const [first, second] = await resolve(requestUri);
    const away = new Story(new Invitation());
    away.invitation.sendInvite(inviteOptions(peer.port, { requestUri, routeHeader: first! }));
    assertEquals((await away.until("disconnected")).data.code, 503);
    const { invite, story } = await callPeer(peer, { requestUri, routeHeader: second! });
    assertEquals(invite.uri, "sip:bob@example.test");
    assertEquals(invite.headers.has("route"), false);
    peer.respond(invite, 486);
    await story.end();
  });
});

describe("orderRecords()", () => {
  const record = fc.record({
    priority: fc.nat(3),
    weight: fc.oneof(fc.constant(0), fc.nat(65535)),
    port: fc.nat(65535),
    name: fc.constant("a.test"),
  });

  it("keeps every record, lower priorities first", () => {
    fc.assert(fc.property(fc.array(record), (records) => {
      const ordered = orderRecords(records, Infinity, Math.random);
      assertEquals(new Set(ordered), new Set(records));
      assertEquals(ordered.length, records.length);
      const priorities = ordered.map(({ priority }) => priority);
      assertEquals(priorities, priorities.toSorted((a, b) => a - b));
    }));
  });

  it("gives as many as are wanted", () => {
    const records = Array.from(
      { length: 9 },
      (_, port) => ({ priority: 0, weight: 0, port, name: "a.test" }),
    );
    assertEquals(orderRecords(records, 3, () => 0).map(({ port }) => port), [0, 1, 2]);
    assertEquals(orderRecords(records, 2, () => 0.999).map(({ port }) => port), [8, 7]);
    assertEquals(orderRecords([], 3, Math.random), []);
  });
});
