// SPDX-License-Identifier: GPL-2.0-or-later
import { describe, it } from "node:test";
import { assert, assertEquals, assertFalse } from "@std/assert";
import {
  PJSIPError,
  PJSIPTLSError,
  PublicationError,
  PublicationETagError,
  SIPCoreError,
  SIPCoreInvalidStateError,
} from "../core/errors.ts";

describe("errors", () => {
  it("SIPCoreError carries code, name and cause", () => {
    const cause = new Error("below");
    const error = new SIPCoreError("No text", "PARSE", { cause });
    assert(error instanceof Error);
    assertEquals([error.name, error.code, error.message], ["SIPCoreError", "PARSE", "No text"]);
    assert(error.cause === cause);
    assertFalse("cause" in new SIPCoreError("No text", "PARSE"));
  });

  it("PJSIPError says what failed, with PJSIP's text", () => {
    const error = new PJSIPError("Could not send request", 171060, "Not found (PJSIP_ENOTFOUND)");
    assertEquals(error.message, "Could not send request: Not found (PJSIP_ENOTFOUND)");
    assertEquals([error.name, error.code, error.status, error.errno], ["PJSIPError", "PJSIP", 171060, 0]);
    assert(error instanceof SIPCoreError);
  });

  it("PJSIPError finds the errno in the statuses of the operating system only", () => {
    const errnoOf = (status: number) => new PJSIPError("Could not bind", status, "text").errno;
    assertEquals([70001, 119_999, 120_000, 120_098, 169_999, 170_000].map(errnoOf), [0, 0, 0, 98, 49_999, 0]);
  });

  it("PJSIPTLSError is a PJSIPError with a code of its own", () => {
    const error = new PJSIPTLSError("Could not read cert.pem", 120_002, "No such file", { cause: "x" });
    assert(error instanceof PJSIPError);
    assertEquals([error.name, error.code, error.errno, error.cause], ["PJSIPTLSError", "PJSIP_TLS", 2, "x"]);
  });

  it("SIPCoreInvalidStateError names the state", () => {
    const error = new SIPCoreInvalidStateError("Already sent", "IN_PROGRESS");
    assertEquals([error.name, error.code, error.state], [
      "SIPCoreInvalidStateError",
      "INVALID_STATE",
      "IN_PROGRESS",
    ]);
    const stopped = new SIPCoreInvalidStateError("The engine is not running", null, "ENGINE_NOT_RUNNING");
    assertEquals([stopped.code, stopped.state], ["ENGINE_NOT_RUNNING", null]);
  });

  it("PublicationETagError is a PublicationError", () => {
    assertEquals(new PublicationError("Nothing published").code, "PUBLICATION");
    const error = new PublicationETagError("Publish the body again");
    assert(error instanceof PublicationError);
    assertEquals([error.name, error.code], ["PublicationETagError", "PUBLICATION_ETAG"]);
  });
});
