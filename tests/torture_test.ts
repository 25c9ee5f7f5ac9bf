// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The messages of RFC 4475 and RFC 5118, each with what a user agent is to do with it. They are read from the corpus
 * beside the project.
 */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { after, before, describe, it } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async";
import { type Engine, NotificationCenter } from "../mod.ts";
import { headerOf } from "./hostile/answers.ts";
import { fill, tortureSeeds, withRport } from "./hostile/seeds.ts";
import { skipWithoutCorpus } from "./support/corpus.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";

/** Final codes that are right, the best one first; none: nothing may come. Section numbers are of RFC 4475. */
const rfc4475: Readonly<Record<string, readonly number[]>> = {
  // 3.1.1: valid
  wsinv: [481], // has a To tag, of a dialog that is not there
  intmeth: [405, 501],
  esc01: [486],
  escnull: [200],
  esc02: [405, 501],
  lwsdisp: [200],
  longreq: [486],
  dblreq: [200],
  semiuri: [200],
  transports: [200],
  mpart01: [200],
  unreason: [],
  noreason: [],
  // 3.1.2: invalid
  badinv01: [400],
  clerr: [400],
  ncl: [400],
  scalar02: [400],
  scalarlg: [],
  quotbal: [400],
  ltgtruri: [400],
  lwsruri: [400],
  lwsstart: [486, 400], // tolerated
  trws: [200, 400], // tolerated
  escruri: [486, 400], // the headers in the URI are ignored
  baddate: [486, 400], // nobody reads the date
  regbadct: [400],
  badaspec: [200, 400], // tolerated
  baddn: [200, 400], // tolerated
  badvers: [505],
  mismatch01: [400],
  mismatch02: [400, 405, 501],
  bigcode: [],
  // 3.2: of a transaction
  badbranch: [200, 400],
  // 3.3: of the application
  insuf: [400],
  unkscm: [416],
  novelsc: [416],
  unksm2: [200, 400],
  bext01: [420, 200],
  invut: [415],
  regaut01: [200],
  multi01: [400],
  mcl01: [400],
  bcast: [],
  zeromf: [200],
  cparam01: [200],
  cparam02: [200],
  regescrt: [200],
  sdp01: [486, 406],
  // 3.4
  inv2543: [486],
  // in the archive, in no section
  test: [], // no version, no Via
};

const rfc5118: Readonly<Record<string, readonly number[]>> = {
  "ipv6-good": [200],
  "ipv6-bad": [400],
  "port-ambiguous": [200],
  "port-unambiguous": [200],
  "via-received-param-with-delim": [481],
  "via-received-param-no-delim": [481, 200],
  "ipv6-in-sdp": [486],
  "mult-ip-in-header": [481],
  "mult-ip-in-sdp": [486],
  "ipv4-mapped-ipv6": [486],
  "ipv6-bug-abnf-3-colons": [200],
  "ipv6-correct-abnf-2-colons": [200],
};

describe("Torture", { skip: skipWithoutCorpus }, () => {
  let engine: Engine;
  let socket: Socket;
  const finals = new Map<string, Set<string>>();
  const exceptions: unknown[] = [];
  const observers: Disposable[] = [];

  before(async () => {
    engine = await startEngine({ incomingRequests: ["REGISTER", "MESSAGE"] });
    const center = new NotificationCenter();
    observers.push(
      center.addObserver(({ data }) => void exceptions.push(data.value), { name: "SIPEngineGotException" }),
      center.addObserver(({ sender }) => sender.answer(200), { name: "SIPIncomingRequestGotRequest" }),
      center.addObserver(({ sender, data }) => {
        if (data.state === "incoming") sender.sendResponse(486);
      }, { name: "SIPInvitationChangedState" }),
    );
    socket = createSocket("udp4");
    socket.bind(0, "127.0.0.1");
    await once(socket, "listening");
    socket.on("message", (data) => {
      const text = data.toString("latin1");
      const [, code] = /^SIP\/2\.0 ([2-6]\d\d) /.exec(text) ?? [];
      if (code === undefined) return;
      const callId = headerOf(text, "Call-ID", "i") ?? "none";
      const known = finals.get(callId) ?? new Set();
      finals.set(callId, known.add(`${code} ${headerOf(text, "To", "t")}`));
    });
    // All of them at once: what comes late to one must not be taken for the answer to another.
    for (const seed of tortureSeeds()) {
      const name = nameOf(seed.name);
      const filling = { port: engine.udpPort!, ownPort: 0, transport: "UDP", unique: `${name}x` } as const;
      const text = withRport(name === "badbranch" ? seed.text : fill(seed, filling));
      socket.send(Buffer.from(text, "latin1"), engine.udpPort!, "127.0.0.1");
    }
    for (let ms = 0; ms < 1000 && finals.size < 56; ms += 20) await delay(20);
    await delay(300);
  });
  after(async () => {
    for (const observer of observers) observer[Symbol.dispose]();
    const closed = once(socket, "close");
    socket.close();
    await closed;
    await stopEngine();
  });

  function answersTo(name: string): string[] {
    const own = [...finals].find(([callId]) =>
      callId.startsWith(name === "badbranch" ? "badbranch." : `${name}x`)
    );
    return [...own?.[1] ?? (name === "insuf" ? finals.get("none") : undefined) ?? []];
  }

  for (const [rfc, table] of [["RFC 4475", rfc4475], ["RFC 5118", rfc5118]] as const) {
    for (const [name, codes] of Object.entries(table)) {
      it(`Engine answers ${name} of ${rfc} with ${codes.join(" or ") || "nothing"}`, () => {
        const got = answersTo(name).map((answer) => Number(answer.slice(0, 3)));
        assertEquals(got.length, codes.length === 0 ? 0 : 1, `final responses: ${got}`);
        assert(codes.length === 0 || codes.includes(got[0]!), `it was answered with ${got}`);
      });
    }
  }

  it("Every message of the two RFCs is in the tables", () => {
    const known = new Set([...Object.keys(rfc4475), ...Object.keys(rfc5118)]);
    assertEquals(tortureSeeds().map(({ name }) => nameOf(name)).filter((name) => !known.has(name)), []);
    assertEquals(known.size, tortureSeeds().length);
  });

  it("None of them makes an exception", () => {
    assertEquals(exceptions, []);
  });
});

/** "wsinv" of "rfc4475/files/wsinv.dat". */
function nameOf(path: string): string {
  return path.split("/").at(-1)!.replace(/\.\w+$/, "");
}
