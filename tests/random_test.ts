// SPDX-License-Identifier: GPL-2.0-or-later
import { after, before, describe, it } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { AudioMixer } from "../mod.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { ICESide } from "./support/ice_pair.ts";

describe("Numbers that nobody can guess", () => {
  before(() => startEngine({ rtpPortRange: [43200, 43299] }));
  after(stopEngine);

  it("ICE has passwords that do not follow from the ones before", async () => {
    using mixer = new AudioMixer(null, null);
    using side = new ICESide({ useIce: true });
    await side.init();
    // Each session takes six numbers: two that nobody sees, one for its name, three for its password, as 8 digits each.
    const numbers: (number | null)[] = [];
    for (let session = 0; session < 40; session++) {
      const { attributes } = side.describe(mixer).media[0]!;
      const digits = `${attributes.getFirst("ice-ufrag")}${attributes.getFirst("ice-pwd")}`;
      const seen = digits.match(/[0-9a-f]{8}/g)!.map((one) => parseInt(one, 16));
      assertEquals(seen.length, 4);
      numbers.push(null, null, ...seen);
      side.transport.setInit();
    }
    assertEquals(new Set(numbers).size, 40 * 4 + 1);
    // The C library's rand(): each is the sum of the third and the thirty-first before it, or one more.
    let chances = 0;
    let hits = 0;
    for (const [index, number] of numbers.entries()) {
      const [third, other] = [numbers[index - 3], numbers[index - 31]];
      if (typeof number !== "number" || typeof third !== "number" || typeof other !== "number") continue;
      chances++;
      const difference = (number - third - other) >>> 0 & 0x7fffffff;
      if (difference < 2) hits++;
    }
    assert(chances > 20, `${chances}`);
    assertEquals(hits, 0, `${hits} of ${chances} could be worked out`);
  });
});
