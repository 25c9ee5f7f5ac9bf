// SPDX-License-Identifier: GPL-2.0-or-later
import { describe, it } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { sipStatusMessages } from "../core/sip_status_messages.ts";

describe("sipStatusMessages", () => {
  it("sipStatusMessages has the phrase of each code, and none for others", () => {
    assertEquals([sipStatusMessages[200], sipStatusMessages[486], sipStatusMessages[299]], [
      "OK",
      "Busy Here",
      undefined,
    ]);
    assert(Object.isFrozen(sipStatusMessages));
    for (const code of Object.keys(sipStatusMessages)) assert(/^[1-6][0-9]{2}$/.test(code));
  });
});
