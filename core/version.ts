// SPDX-License-Identifier: GPL-2.0-or-later
/** The version of sipcore; package.json and deno.json carry the same. */
export const version = "0.1.0";
