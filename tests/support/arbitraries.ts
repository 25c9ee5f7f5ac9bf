// SPDX-License-Identifier: GPL-2.0-or-later
/** Generators of values for property tests. */
import fc from "fast-check";
import type { ParametersInit } from "../../core/parameters.ts";
import { SIPURI } from "../../core/uri.ts";

const TOKEN_CHARACTERS = [..."abcXYZ019-.!%*_+`'~"];

/** Any text that an argument may be. */
export const text: fc.Arbitrary<string> = fc.string({ unit: "binary", maxLength: 20 })
  .filter((value) => !/[\r\n\0]/.test(value));

/** Text without white space around it, as header bodies and names are kept. */
export const trimmed: fc.Arbitrary<string> = text.map((value) => value.trim());

export const token: fc.Arbitrary<string> = fc.string({
  unit: fc.constantFrom(...TOKEN_CHARACTERS),
  minLength: 1,
  maxLength: 12,
});

/** A word of an SDP line. */
export const word: fc.Arbitrary<string> = fc.string({
  unit: fc.constantFrom(...TOKEN_CHARACTERS, "/", "é", "🙂"),
  minLength: 1,
  maxLength: 12,
});

export const host: fc.Arbitrary<string> = fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6());

export const port: fc.Arbitrary<number | null> = fc.option(fc.integer({ min: 1, max: 65535 }));

/** Names differ in more than case, since names of parameters have none. */
function parametersOf(name: fc.Arbitrary<string>, value: fc.Arbitrary<string>): fc.Arbitrary<ParametersInit> {
  const pair = fc.tuple(name, fc.option(value));
  return fc.uniqueArray(pair, { maxLength: 4, selector: ([name]) => name.toLowerCase() });
}

/** Parameters of a header, under names that no header has a property for. */
export const parameters: fc.Arbitrary<ParametersInit> = parametersOf(token.map((name) => `x-${name}`), text);

const name = text.filter((value) => value !== "");

export const uri: fc.Arbitrary<SIPURI> = fc.record({
  host,
  port,
  user: fc.option(name),
  password: fc.option(text),
  display: fc.option(text),
  secure: fc.boolean(),
  parameters: parametersOf(name, text),
  headers: fc.uniqueArray(fc.tuple(name, fc.option(text)), { maxLength: 4, selector: ([name]) => name }),
}).map((init) => new SIPURI({ ...init, password: init.user === null ? null : init.password }));

export const displayName: fc.Arbitrary<string | null> = fc.option(text);

/** Text made of the pieces that parsers trip over. */
export const hostile: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.array(
    fc.constantFrom(
      ...'<>"\\;,:=?&@%[]() \t\r\n\0/*',
      ...'sip: sips: tel:+1 %00 %ff %C3%A9 \\" 2.0 SIP/2.0/UDP host 999999999999999999999 -1 é \ud800'.split(
        " ",
      ),
      ..."v=0 o=- s= t= m=audio c=IN a= b= RTP/AVP From: Contact: Via: Content-Length: tag= early-only to-tag=1"
        .split(" "),
    ),
    { maxLength: 40 },
  ).map((pieces) => pieces.join("")),
);
