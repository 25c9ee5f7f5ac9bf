// SPDX-License-Identifier: GPL-2.0-or-later
/** Characters of SIP and SDP as they stand on the wire. */
export const TAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SP = 0x20;
export const ZERO = 0x30;
export const COLON = 0x3a;
export const EQUALS = 0x3d;
