// SPDX-License-Identifier: GPL-2.0-or-later
/** The kinds of records that come up; twin of `enum sc_record_kind` in shim/shim.h. */
export const records = {
  SC_RECORD_ENGINE_STOPPED: 1,
  SC_RECORD_LOG: 2,
  SC_RECORD_TRACE: 3,
  SC_RECORD_DROPPED: 4,
  SC_RECORD_TRANSPORT: 5,
  SC_RECORD_CERTIFICATE: 6,
  SC_RECORD_INCOMING_REQUEST: 16,
  SC_RECORD_INCOMING_REQUEST_EXPIRED: 17,
  SC_RECORD_INVITATION_INCOMING: 32,
  SC_RECORD_INVITATION_STATE: 33,
  SC_RECORD_INVITATION_ENDING: 34,
  SC_RECORD_INVITATION_CANCELLED: 35,
  SC_RECORD_INVITATION_SDP: 36,
  SC_RECORD_AUDIO_TRANSPORT_DTMF: 48,
  SC_RECORD_WAVE_FILE_END: 64,
} as const;

/** Answers beside PJSIP's; twin of `enum sc_error` in shim/shim.h. */
export const errors = {
  SC_EGONE: 900001,
  SC_EBUSY: 900002,
  SC_EARGS: 900003,
  SC_ENOPORT: 900004,
} as const;
