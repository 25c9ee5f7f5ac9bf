// SPDX-License-Identifier: GPL-2.0-or-later
import { describe, it } from "node:test";
import { inspect } from "node:util";
import { assert, assertEquals, assertFalse, assertThrows } from "@std/assert";
import {
  BaseCredentials,
  Credentials,
  type DigestAlgorithm,
  FrozenCredentials,
} from "../core/credentials.ts";

const HA1 = "939e7578ed9e3c518a452acee763bce9";

describe("Credentials", () => {
  it("Credentials() answers any realm with a password by default", () => {
    const credentials = new Credentials("alice", "secret");
    assertEquals(
      [
        credentials.username,
        credentials.password,
        credentials.realm,
        credentials.digest,
        credentials.algorithm,
      ],
      ["alice", "secret", "*", false, "MD5"],
    );
    assert(new FrozenCredentials({ username: "alice", password: "secret" }).equals(credentials));
  });

  it("Credentials.equals() compares all components", () => {
    const make = (options: object) => new Credentials({ username: "a", password: HA1, ...options });
    assert(make({ digest: true }).equals(FrozenCredentials.from(make({ digest: true }))));
    for (
      const other of [{ username: "b" }, { password: "x" }, { realm: "r" }, { digest: true }, {
        algorithm: "SHA-256",
      }]
    ) {
      assertFalse(make({}).equals(make(other)));
    }
  });

  it("Credentials() wants a hash of the right length with digest", () => {
    assertEquals(new Credentials("alice", HA1, { digest: true }).digest, true);
    const sha = HA1 + HA1;
    assertEquals(new Credentials("alice", sha, { digest: true, algorithm: "SHA-256" }).algorithm, "SHA-256");
    for (
      const [password, algorithm] of [["secret", "MD5"], [sha, "MD5"], [HA1, "SHA-256"], [
        `${HA1.slice(1)}g`,
        "MD5",
      ]]
    ) {
      const options = { digest: true, algorithm: algorithm as DigestAlgorithm };
      assertThrows(() => new Credentials("alice", password!, options), TypeError, "password");
    }
    const credentials = new Credentials("alice", "secret");
    credentials.digest = true;
    assertThrows(() => FrozenCredentials.from(credentials), TypeError, "password");
  });

  it("Credentials() refuses wrong arguments, naming them", () => {
    for (const bad of ["a\rb", "a\nb", "a\0b", "\udc00"]) {
      assertThrows(() => new Credentials(bad, "x"), TypeError, "username");
      assertThrows(() => new Credentials("x", bad), TypeError, "password");
      assertThrows(() => new Credentials("x", "y", { realm: bad }), TypeError, "realm");
      const credentials = new Credentials("x", "y");
      assertThrows(() => credentials.username = bad, TypeError, "username");
      assertThrows(() => credentials.password = bad, TypeError, "password");
      assertThrows(() => credentials.realm = bad, TypeError, "realm");
    }
    const algorithm = "MD4" as DigestAlgorithm;
    assertThrows(() => new Credentials("x", "y", { algorithm }), RangeError, "algorithm");
    assertThrows(() => new Credentials("x", "y").algorithm = algorithm, RangeError, "algorithm");
    assertThrows(() => new Credentials("x", undefined as unknown as string), TypeError, "password");
    const Base = BaseCredentials as unknown as new (init: object) => BaseCredentials;
    assertThrows(() => new Base({ username: "a", password: "b" }), TypeError, "Illegal constructor");
  });

  it("Credentials never show the password unasked", () => {
    for (
      const credentials of [
        new Credentials("alice", "topsecret"),
        new FrozenCredentials("alice", "topsecret"),
      ]
    ) {
      const shown = [String(credentials), JSON.stringify(credentials), inspect(credentials)].join();
      assertFalse(shown.includes("topsecret"), shown);
      assert(String(credentials).includes("alice"));
    }
  });
});
