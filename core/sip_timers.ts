// SPDX-License-Identifier: GPL-2.0-or-later
/** PJSIP's timers in milliseconds (RFC 3261, section 17; `pjsip_cfg()->tsx`); 0: PJSIP's own value. */
export interface SIPTimers {
  t1: number;
  t2: number;
  t4: number;
  td: number;
}

/** What the next start of the engine sets. Not public: tests would wait 32 and 64 seconds otherwise. */
export const sipTimers: SIPTimers = { t1: 0, t2: 0, t4: 0, td: 0 };
