// SPDX-License-Identifier: GPL-2.0-or-later
import { createHash, createHmac } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { Coturn, coturnRealm, coturnUsers, skipWithoutCoturn } from "./support/coturn.ts";
import {
  addressIn,
  attributeOf,
  printStun,
  type StunAttribute,
  stunAttributes as attributes,
  StunClient,
  stunId,
  type StunMessage,
  stunTypes as types,
  xorAddressValue,
} from "./support/stun.ts";

const encoder = new TextEncoder();

function allocate(...more: StunAttribute[]): StunMessage {
  const udp: StunAttribute = [attributes.requestedTransport, Uint8Array.of(17, 0, 0, 0)];
  return { type: types.allocateRequest, id: stunId(), attributes: [udp, ...more] };
}

/** MESSAGE-INTEGRITY of RFC 5389 over what comes before it, its own length counted. */
function sign(message: StunMessage, key: Uint8Array): StunMessage {
  const field = attributes.messageIntegrity;
  const space = printStun({ ...message, attributes: [...message.attributes, [field, new Uint8Array(20)]] });
  const digest = createHmac("sha1", key).update(space.subarray(0, -24)).digest();
  return { ...message, attributes: [...message.attributes, [field, new Uint8Array(digest)]] };
}

describe("coturn as a peer", { skip: skipWithoutCoturn }, () => {
  let coturn: Coturn;
  before(async () => void (coturn = await Coturn.start()));
  after(() => coturn[Symbol.asyncDispose]());

  function bind(client: StunClient, change: number): ReturnType<StunClient["ask"]> {
    const asked: StunAttribute[] = change ? [[attributes.changeRequest, Uint8Array.of(0, 0, 0, change)]] : [];
    const request = { type: types.bindingRequest, id: stunId(), attributes: asked };
    return client.ask(request, { address: "127.0.0.1", port: coturn.port });
  }

  it("coturn tells where a binding request came from, and its own other address", async () => {
    await using client = await StunClient.open();
    const { answer } = await bind(client, 0);
    assertEquals(answer.type, types.bindingSuccess);
    const mapped = addressIn(xorAddressValue(attributeOf(answer, attributes.xorMappedAddress)!));
    assertEquals(mapped, { address: "127.0.0.1", port: client.port });
    const other = addressIn(attributeOf(answer, attributes.otherAddress)!);
    assertEquals(other, { address: "127.0.0.2", port: coturn.otherPort });
  });

  for (
    const [change, address, port] of [[2, "127.0.0.1", "otherPort"], [6, "127.0.0.2", "otherPort"]] as const
  ) {
    it(`coturn answers CHANGE-REQUEST ${change} from ${address} and its other port`, async () => {
      await using client = await StunClient.open();
      assertEquals((await bind(client, change)).from, { address, port: coturn[port] });
    });
  }

  it("coturn relays for its users only", async () => {
    await using client = await StunClient.open();
    const server = { address: "127.0.0.1", port: coturn.port };
    const { answer: refused } = await client.ask(allocate(), server);
    assertEquals(refused.type, types.allocateError);
    const nonce = attributeOf(refused, attributes.nonce)!;
    assertEquals(new TextDecoder().decode(attributeOf(refused, attributes.realm)!), coturnRealm);

    const ask = async (password: string) => {
      const key = createHash("md5").update(`alice:${coturnRealm}:${password}`).digest();
      const request = allocate(
        [attributes.username, encoder.encode("alice")],
        [attributes.realm, encoder.encode(coturnRealm)],
        [attributes.nonce, nonce],
      );
      return (await client.ask(sign(request, new Uint8Array(key)), server)).answer;
    };
    assertEquals((await ask("wrong")).type, types.allocateError);
    const given = await ask(coturnUsers.alice);
    if (given.type !== types.allocateSuccess) throw coturn.failure(`answered ${given.type.toString(16)}`);
    const relayed = addressIn(xorAddressValue(attributeOf(given, attributes.xorRelayedAddress)!));
    assertEquals(relayed.address, "127.0.0.1");
    assert(relayed.port > 0);
  });
});
