// SPDX-License-Identifier: GPL-2.0-or-later

/** Where a message came from or went to. */
export interface EndpointAddress {
  /** An IPv4 or IPv6 address, without brackets. */
  readonly ip: string;
  /** The port. */
  readonly port: number;
}
