// SPDX-License-Identifier: GPL-2.0-or-later
import { spawnSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import process from "node:process";
import { after, afterEach, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { assert, assertEquals, assertLess, assertMatch, assertThrows } from "@std/assert";
import { deadline } from "@std/async";
import {
  Engine,
  type NATType,
  NotificationCenter,
  SIPCoreInvalidStateError,
  type SIPNotification,
} from "../mod.ts";
import { Coturn, skipWithoutCoturn } from "./support/coturn.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { ownName } from "./support/program.ts";
import {
  addressValue,
  attributeOf,
  printStun,
  type StunAddress,
  stunAttributes,
  stunTypes,
} from "./support/stun.ts";
import { answeringPlace, type Place, type StunArrival, StunServer } from "./support/stun_server.ts";

type Detected = SIPNotification<"SIPEngineDetectedNATType">;
type Handler = (server: StunServer, arrival: StunArrival) => void;

const engine = new Engine();

/** Collects the answers to detections, from its making on. */
class Detections implements Disposable {
  readonly told: Detected[] = [];
  readonly #observer: Disposable;

  constructor() {
    this.#observer = new NotificationCenter().addObserver(
      (notification) => void this.told.push(notification),
      { name: "SIPEngineDetectedNATType" },
    );
  }

  async until(count: number): Promise<readonly Detected[]> {
    const center = new NotificationCenter();
    const wait = async () => {
      while (this.told.length < count) await center.once("SIPEngineDetectedNATType");
    };
    await deadline(wait(), 12_000);
    assertEquals(this.told.length, count);
    for (const { sender, data } of this.told) {
      assertEquals(sender, engine);
      assertEquals(Object.keys(data).sort(), ["error", "natType", "succeeded", "timestamp", "userData"]);
      assertEquals(data.succeeded, data.error === null);
      assertEquals(data.succeeded, data.natType !== null);
    }
    return this.told;
  }

  [Symbol.dispose](): void {
    this.#observer[Symbol.dispose]();
  }
}

/** One detection of one at a time: the type, or "failed: " and the error. */
async function detect(address: string, port?: number): Promise<string> {
  using detections = new Detections();
  engine.detectNatType(address, port === undefined ? {} : { stunServerPort: port });
  const [{ data }] = await detections.until(1) as [Detected];
  return data.natType ?? `failed: ${data.error}`;
}

const foreign = { address: "192.0.2.7", port: 40_000 };

/** What a NAT of each type makes of us, and what it lets in when we have sent to `seen`. */
interface NAT {
  readonly mapped: (from: StunAddress, at: Place) => StunAddress;
  readonly lets: (place: Place, seen: readonly Place[]) => boolean;
}

const sameAddress: NAT["lets"] = ({ address }, seen) => seen.some((one) => one.address === address);
const samePort: NAT["lets"] = ({ address, port }, seen) =>
  seen.some((one) => one.address === address && one.port === port);

const nats: Readonly<Record<NATType, NAT>> = {
  "Open": { mapped: (from) => from, lets: () => true },
  "Blocked": { mapped: (from) => from, lets: () => false },
  "Symmetric UDP": { mapped: (from) => from, lets: samePort },
  "Full Cone": { mapped: () => foreign, lets: () => true },
  "Symmetric": { mapped: (_, at) => ({ ...foreign, port: foreign.port + at.address }), lets: samePort },
  "Restricted": { mapped: () => foreign, lets: sameAddress },
  "Port Restricted": { mapped: () => foreign, lets: samePort },
  "ErrUnknown": {
    mapped: () => foreign,
    lets: (place, seen) => place.address === 0 && samePort(place, seen),
  },
};
const types = Object.keys(nats) as NATType[];

/** A server behind that NAT; `lost` of the sendings of each request get lost on the way. */
function behind(type: NATType, lost: number = 0): Handler {
  const seen: Place[] = [];
  const sendings = new Map<string, number>();
  const { mapped, lets } = nats[type];
  return (server, arrival) => {
    const id = arrival.request.id.join();
    sendings.set(id, (sendings.get(id) ?? 0) + 1);
    seen.push(arrival.at);
    if (sendings.get(id)! <= lost || !lets(answeringPlace(arrival), seen)) return;
    server.answer(arrival, mapped(arrival.from, arrival.at));
  };
}

describe("Engine.detectNatType()", () => {
  before(() => startEngine());
  after(stopEngine);

  it("Engine.detectNatType() tells each type of NAT, all at once, in whatever order", async () => {
    await using servers = new AsyncDisposableStack();
    using detections = new Detections();
    const start = performance.now();
    for (const lost of [0, 2]) {
      for (const type of types) {
        const server = servers.use(await StunServer.open(behind(type, lost)));
        engine.detectNatType("127.0.0.1", { stunServerPort: server.port, userData: { type } });
      }
    }
    assertEquals(detections.told, [], "nothing is posted before detectNatType() has returned");
    const told = await detections.until(2 * types.length);
    assertLess(performance.now() - start, 8000);
    for (const { data } of told) assertEquals(data.natType, (data.userData as { type: NATType }).type);
    assertEquals(told.map(({ data }) => data.natType).sort(), [...types, ...types].sort());
  });

  it("Engine.detectNatType() answers a hundred calls once each, with their own userData", async () => {
    await using server = await StunServer.open(behind("Open"));
    using detections = new Detections();
    const marks = Array.from({ length: 100 }, () => Symbol());
    for (const userData of marks) {
      engine.detectNatType("127.0.0.1", { stunServerPort: server.port, userData });
    }
    const told = await detections.until(100);
    assertEquals(new Set(told.map(({ data }) => data.userData)), new Set(marks));
    assert(told.every(({ data }) => data.natType === "Open"));
    const ids = new Set(server.arrivals.map(({ request }) => request.id.join()));
    assert(ids.size >= 200, "each request has an id of its own");
  });

  it("Engine.detectNatType() takes a name, and a server that knows RFC 3489 only", async () => {
    await using server = await StunServer.open((server, arrival) => {
      server.answer(arrival, arrival.from, {
        attributes: [
          [stunAttributes.mappedAddress, addressValue(arrival.from)],
          [stunAttributes.changedAddress, addressValue(server.addressOf({ address: 1, port: 1 }))],
        ],
      });
    });
    assertEquals(await detect("localhost", server.port), "Open");
    using detections = new Detections();
    engine.detectNatType("127.0.0.1", { stunServerPort: server.port });
    assertEquals((await detections.until(1))[0]!.data.userData, null);
  });

  it("Engine.detectNatType() believes no answer from elsewhere and none to what was not asked", async () => {
    const stranger = createSocket("udp4");
    stranger.bind(0, "127.0.0.1");
    await once(stranger, "listening");
    await using server = await StunServer.open((server, arrival) => {
      const { request, from, change } = arrival;
      // The right id, the wrong place; then the right place, the wrong id.
      const lie = { type: stunTypes.bindingSuccess, attributes: server.attributes(foreign) };
      stranger.send(printStun({ ...lie, id: request.id }), from.port, from.address);
      const wrong = Uint8Array.from(request.id, (byte, index) => byte ^ Number(index === 15));
      server.send(answeringPlace(arrival), printStun({ ...lie, id: wrong }), from);
      for (const type of [stunTypes.bindingRequest, stunTypes.allocateSuccess]) {
        server.send(answeringPlace(arrival), printStun({ ...lie, type, id: request.id }), from);
      }
      if (change === 0) server.answer(arrival, from);
    });
    assertEquals(await detect("127.0.0.1", server.port), "Symmetric UDP");
    stranger.close();
  });

  it("Engine.detectNatType() is told by the server's own garbage that it is none", async () => {
    let seed = 1;
    const random = () => seed = seed * 48_271 % 0x7fffffff;
    const spoil: Handler = (server, arrival) => {
      const place = answeringPlace(arrival);
      const good = printStun({
        type: stunTypes.bindingSuccess,
        id: arrival.request.id,
        attributes: server.attributes(arrival.from),
      });
      for (let count = 0; count < 20; count++) {
        server.send(place, good.subarray(0, random() % good.length), arrival.from);
        const broken = good.slice();
        // The type, the length, the cookie or the length of the first attribute.
        broken[[0, 1, 2, 3, 4, 22, 23][random() % 7]!]! ^= 1 + random() % 255;
        server.send(place, broken, arrival.from);
        server.send(place, Uint8Array.from({ length: random() % 200 }, () => random()), arrival.from);
      }
    };
    await using useless = await StunServer.open(spoil);
    await using noisy = await StunServer.open((server, arrival) => {
      spoil(server, arrival);
      server.answer(arrival, arrival.from);
    });
    assertEquals(await detect("127.0.0.1", useless.port), "failed: What answers there is no STUN server");
    assertEquals(await detect("127.0.0.1", noisy.port), "Open");
  });

  const failures: readonly [what: string, handler: Handler, error: RegExp][] = [
    ["has one address", (server, arrival) => {
      const [mapped] = server.attributes(arrival.from);
      server.answer(arrival, arrival.from, { attributes: [mapped!] });
    }, /^failed: .*no second address/],
    ["has one address and two ports", (server, arrival) => {
      const [mapped] = server.attributes(arrival.from);
      const other = addressValue(server.addressOf({ address: 0, port: 1 }));
      server.answer(arrival, arrival.from, { attributes: [mapped!, [stunAttributes.otherAddress, other]] });
    }, /^failed: .*no second address/],
    ["does not do as CHANGE-REQUEST says", (server, arrival) => {
      server.answer(arrival, arrival.from, { place: arrival.at });
    }, /^failed: .*does not answer from its other address/],
    ["does not know CHANGE-REQUEST", (server, arrival) => {
      if (attributeOf(arrival.request, stunAttributes.changeRequest) === null) {
        return server.answer(arrival, arrival.from);
      }
      server.answer(arrival, arrival.from, {
        place: arrival.at,
        type: stunTypes.bindingError,
        attributes: [[stunAttributes.errorCode, Uint8Array.of(0, 0, 4, 20, 110, 111)]],
      });
    }, /^failed: .*error 420/],
    ["names a place that cannot be sent to", (server, arrival) => {
      const [mapped] = server.attributes(foreign);
      const other = addressValue({ address: "255.255.255.255", port: 9 });
      if (arrival.change !== 0) return;
      server.answer(arrival, foreign, { attributes: [mapped!, [stunAttributes.otherAddress, other]] });
    }, /^failed: ./],
  ];
  for (const [what, handler, error] of failures) {
    it(`Engine.detectNatType() fails when the server ${what}`, async () => {
      await using server = await StunServer.open(handler);
      assertMatch(await detect("127.0.0.1", server.port), error);
    });
  }

  it("Engine.detectNatType() fails for a name that does not resolve and for an address of another kind", async () => {
    const name = `${"a".repeat(64)}.invalid`; // longer than a label may be: no name server is asked
    assertMatch(await detect(name), /^failed: Could not resolve a{64}\.invalid: /);
    assertMatch(await detect("::1"), /^failed: ::1 has no address of the kind of 127\.0\.0\.1/);
    assertMatch(await detect("[::1]"), /^failed: ::1 has no address/);
  });

  it("Engine.detectNatType() refuses bad arguments by name, and posts nothing then", () => {
    using detections = new Detections();
    for (const bad of ["", "a b", "a\r\nb", "a/b", 7, null]) {
      assertThrows(() => engine.detectNatType(bad as string), TypeError, "stunServerAddress");
    }
    for (const bad of [0, 65_536, -1, 1.5]) {
      assertThrows(
        () => engine.detectNatType("127.0.0.1", { stunServerPort: bad }),
        RangeError,
        "stunServerPort",
      );
    }
    assertThrows(
      () => engine.detectNatType("127.0.0.1", { stunServerPort: "1" as never }),
      TypeError,
      "stunServerPort",
    );
    assertEquals(detections.told, []);
  });

  it("Engine.detectNatType() finds nothing in the way to a coturn", { skip: skipWithoutCoturn }, async () => {
    await using coturn = await Coturn.start();
    assertEquals(await detect("127.0.0.1", coturn.port), "Open");
  });
});

describe("Engine.detectNatType() and the engine's life", () => {
  afterEach(stopEngine);

  it("Engine.stop() answers every detection before SIPEngineDidEnd", async () => {
    await startEngine();
    await using server = await StunServer.open(behind("Blocked"));
    const names = ["SIPEngineDetectedNATType", "SIPEngineDidEnd"] as const;
    const stream = new NotificationCenter().stream({ name: names });
    for (let userData = 0; userData < 20; userData++) {
      engine.detectNatType(userData < 10 ? "127.0.0.1" : "localhost", {
        stunServerPort: server.port,
        userData,
      });
    }
    const start = performance.now();
    await engine.stop();
    assertLess(performance.now() - start, 2000);
    const told = [];
    for await (const notification of stream) told.push(notification);
    assertEquals(told.map(({ name }) => name), [...Array(20).fill(names[0]), names[1]]);
    const detected = told.slice(0, 20) as Detected[];
    for (const { data } of detected) assertEquals([data.succeeded, data.error], [false, "engine stopped"]);
    assertEquals(new Set(detected.map(({ data }) => data.userData)).size, 20);
    assertThrows(() => engine.detectNatType("127.0.0.1"), SIPCoreInvalidStateError);
  });

  it("Engine.detectNatType() called while the engine stops is answered or refused", async () => {
    await startEngine();
    await using server = await StunServer.open(behind("Blocked"));
    using detections = new Detections();
    let calls = 0;
    using _observer = new NotificationCenter().addObserver(() => {
      engine.detectNatType("127.0.0.1", { stunServerPort: server.port });
      calls++;
    }, { name: ["SIPEngineWillEnd", "SIPEngineDidEnd"] });
    await engine.stop();
    assertEquals([calls, detections.told.length], [1, 1]);
    await startEngine();
    assertEquals(detections.told.length, 1);
  });

  it("Engine.detectNatType() works from all interfaces", async () => {
    await startEngine({ ipAddress: null });
    await using server = await StunServer.open(behind("Open"));
    assertEquals(await detect("127.0.0.1", server.port), "Open");
  });

  it("Engine.detectNatType() fails without --allow-net, and the program goes on", {
    skip: ownName === "Deno" ? false : "this runtime has no permissions",
  }, () => {
    const program = fileURLToPath(new URL("./support/programs/detect_nat_type.ts", import.meta.url));
    const args = ["run", "--no-prompt", "--allow-ffi", "--allow-env=SIPCORE_LIBRARY", program];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
    assertEquals([status, stdout.trim().split("\n").length], [0, 2], stderr);
    const [literal, name] = stdout.trim().split("\n").map((line) => JSON.parse(line) as Detected["data"]);
    assertMatch(literal!.error!, /--allow-net/);
    assertMatch(name!.error!, /^Could not resolve localhost: /);
  });

  it("Engine.detectNatType() asks over IPv6", async () => {
    await startEngine({ ipAddress: "::1" });
    const server = createSocket("udp6");
    server.bind(0, "::1");
    await once(server, "listening");
    server.on("message", (data, { address, port }) => {
      // It names as its other address what it is itself.
      const id = new Uint8Array(data.subarray(4, 20));
      const own = Uint8Array.from([0, 2, port >> 8, port & 255, ...Array<number>(15).fill(0), 1]);
      const attributes = [[stunAttributes.mappedAddress, own], [stunAttributes.otherAddress, own]] as const;
      server.send(printStun({ type: stunTypes.bindingSuccess, id, attributes }), port, address);
    });
    assertMatch(await detect("::1", server.address().port), /^failed: .*no second address/);
    server.close();
  });
});
