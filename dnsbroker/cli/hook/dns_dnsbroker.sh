#!/usr/bin/env sh
# shellcheck disable=SC2034
dns_dnsbroker_info='dnsbroker
 Has dnsbroker write the record, and waits until every name server of its zone has it: use --dnssleep 0.
Options:
 DNSBROKER_HOOK Path of dnsbroker-hook. Default: found in PATH.
 DNSBROKER_CONFIG Path of dnsbroker.toml. Default: where dnsbroker looks.
'

# Usage: dns_dnsbroker_add _acme-challenge.www.example.org VALUE
dns_dnsbroker_add() {
  _dnsbroker_settings
  # only what was set is kept for renewals: a default may be another one by then
  [ -z "$DNSBROKER_HOOK" ] || _saveaccountconf_mutable DNSBROKER_HOOK "$DNSBROKER_HOOK"
  [ -z "$DNSBROKER_CONFIG" ] || _saveaccountconf_mutable DNSBROKER_CONFIG "$DNSBROKER_CONFIG"
  _dnsbroker_hook add "$1" "$2"
}

# Usage: dns_dnsbroker_rm _acme-challenge.www.example.org VALUE
dns_dnsbroker_rm() {
  _dnsbroker_settings
  _dnsbroker_hook rm "$1" "$2"
}

_dnsbroker_settings() {
  DNSBROKER_HOOK="${DNSBROKER_HOOK:-$(_readaccountconf_mutable DNSBROKER_HOOK)}"
  DNSBROKER_CONFIG="${DNSBROKER_CONFIG:-$(_readaccountconf_mutable DNSBROKER_CONFIG)}"
}

# $1: add or rm, $2: full name, $3: value. 1 where it failed, whatever the hook's own status.
_dnsbroker_hook() {
  _dnsbroker_program="${DNSBROKER_HOOK:-dnsbroker-hook}"
  if ! command -v "$_dnsbroker_program" >/dev/null; then
    _err "There is no program $_dnsbroker_program: set DNSBROKER_HOOK to the path of dnsbroker-hook, and try again."
    return 1
  fi
  # its option, not the environment: a setting that was read from the account is not exported
  if "$_dnsbroker_program" ${DNSBROKER_CONFIG:+--config "$DNSBROKER_CONFIG"} "$@"; then
    return 0
  fi
  _err "$_dnsbroker_program could not $1 the value at $2: the reason stands above."
  return 1
}
