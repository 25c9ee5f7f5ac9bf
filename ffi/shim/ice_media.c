/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pjmedia's ICE media transport, compiled in here in place of its own object, because it tells nobody where a packet has
 * come from once ICE is in use.
 */
#include "ice_internal.h"

#include <../src/pjmedia/transport_ice.c>

pj_ice_strans *sc_ice_media_strans(pjmedia_transport *media)
{
    return ((struct transport_ice *)media)->ice_st;
}

/* As pjmedia answers a restart; it offers none by itself. */
pj_status_t sc_ice_media_restart(pjmedia_transport *media)
{
    struct transport_ice *self = (struct transport_ice *)media;

    set_no_ice(self, "restart", PJ_SUCCESS);
    return pj_ice_strans_init_ice(self->ice_st, PJ_ICE_SESS_ROLE_CONTROLLING, NULL, NULL);
}

bool sc_ice_media_is_active(pjmedia_transport *media)
{
    return ((struct transport_ice *)media)->use_ice;
}

const pj_sockaddr *sc_ice_media_source(pjmedia_transport *media, unsigned component)
{
    struct transport_ice *self = (struct transport_ice *)media;

    return component == COMP_RTP ? &self->rtp_src_addr : &self->rtcp_src_addr;
}
