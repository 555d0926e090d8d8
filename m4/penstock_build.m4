# SPDX-License-Identifier: BSD-2-Clause
# How penstock is compiled: warnings, hardening, sanitizers, fuzzing. All of it goes to AM_CFLAGS,
# AM_CPPFLAGS and AM_LDFLAGS, so that CFLAGS and LDFLAGS stay the user's own.

# PENSTOCK_TRY_CFLAG(VARIABLE, FLAG): add FLAG to VARIABLE when the compiler and linker take it
AC_DEFUN([PENSTOCK_TRY_CFLAG], [
    AC_MSG_CHECKING([whether $CC takes $2])
    penstock_saved_CFLAGS=$CFLAGS
    CFLAGS="$CFLAGS -Werror $2"
    AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <stdio.h>]], [[puts("");]])],
        [AC_MSG_RESULT([yes]); $1="[$]$1 $2"], [AC_MSG_RESULT([no])])
    CFLAGS=$penstock_saved_CFLAGS
])

AC_DEFUN([PENSTOCK_WARNINGS], [
    AC_ARG_ENABLE([werror], [AS_HELP_STRING([--enable-werror], [warnings are errors (auto: no)])],
        [], [enable_werror=auto])
    penstock_werror=no
    WARN_CFLAGS="-Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wpointer-arith -Wwrite-strings -Wformat=2"
    AS_IF([test "x$enable_werror" = xyes], [WARN_CFLAGS="$WARN_CFLAGS -Werror"; penstock_werror=yes])
    AC_SUBST([WARN_CFLAGS])
])

AC_DEFUN([PENSTOCK_HARDENING], [
    AC_ARG_ENABLE([hardening],
        [AS_HELP_STRING([--enable-hardening], [stack protector, FORTIFY, RELRO, PIE (auto: yes)])],
        [], [enable_hardening=auto])
    HARDEN_CFLAGS= HARDEN_CPPFLAGS= HARDEN_LDFLAGS= penstock_hardening=no
    AS_IF([test "x$enable_hardening" != xno && test "x$enable_sanitizers" = x], [
        penstock_hardening=yes
        PENSTOCK_TRY_CFLAG([HARDEN_CFLAGS], [-fstack-protector-strong])
        PENSTOCK_TRY_CFLAG([HARDEN_CFLAGS], [-fstack-clash-protection])
        PENSTOCK_TRY_CFLAG([HARDEN_CFLAGS], [-fPIE])
        PENSTOCK_TRY_CFLAG([HARDEN_LDFLAGS], [-pie])
        PENSTOCK_TRY_CFLAG([HARDEN_LDFLAGS], [-Wl,-z,relro,-z,now])
        # FORTIFY does nothing, and warns, without optimisation
        AS_CASE([" $CFLAGS "], [*" -O0 "*], [],
            [HARDEN_CPPFLAGS="-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2"])
    ])
    AS_IF([test "x$enable_hardening" = xyes && test "x$HARDEN_CFLAGS" = x],
        [AC_MSG_ERROR([--enable-hardening: the compiler takes none of the flags, or sanitizers are on])])
    AC_SUBST([HARDEN_CFLAGS]) AC_SUBST([HARDEN_CPPFLAGS]) AC_SUBST([HARDEN_LDFLAGS])
])

AC_DEFUN([PENSTOCK_SANITIZERS], [
    AC_ARG_ENABLE([sanitizers],
        [AS_HELP_STRING([--enable-sanitizers=LIST], [such as address,undefined (auto: none)])],
        [], [enable_sanitizers=])
    AS_CASE([$enable_sanitizers], [no | auto], [enable_sanitizers=], [yes], [enable_sanitizers=address,undefined])
    SANITIZE_CFLAGS= penstock_sanitizers=none
    AS_IF([test "x$enable_sanitizers" != x], [
        PENSTOCK_TRY_CFLAG([SANITIZE_CFLAGS], [-fsanitize=$enable_sanitizers])
        AS_IF([test "x$SANITIZE_CFLAGS" = x], [AC_MSG_ERROR([--enable-sanitizers: $CC does not take -fsanitize=$enable_sanitizers])])
        SANITIZE_CFLAGS="$SANITIZE_CFLAGS -fno-sanitize-recover=all -fno-omit-frame-pointer"
        penstock_sanitizers=$enable_sanitizers
    ])
    AC_SUBST([SANITIZE_CFLAGS])
])

# Fuzz targets are always built with a plain main() that replays files; with --enable-fuzzing (clang)
# they are libFuzzer programs.
AC_DEFUN([PENSTOCK_FUZZING], [
    AC_ARG_ENABLE([fuzzing], [AS_HELP_STRING([--enable-fuzzing], [libFuzzer targets, needs clang (auto: no)])],
        [], [enable_fuzzing=auto])
    penstock_fuzzing=no FUZZ_CFLAGS= FUZZ_LDFLAGS=
    AS_IF([test "x$enable_fuzzing" = xyes], [
        PENSTOCK_TRY_CFLAG([FUZZ_CFLAGS], [-fsanitize=fuzzer-no-link])
        AS_IF([test "x$FUZZ_CFLAGS" = x], [AC_MSG_ERROR([--enable-fuzzing needs clang: CC=clang])])
        FUZZ_LDFLAGS=-fsanitize=fuzzer
        penstock_fuzzing=yes
    ])
    AM_CONDITIONAL([FUZZING], [test "x$penstock_fuzzing" = xyes])
    AC_SUBST([FUZZ_CFLAGS]) AC_SUBST([FUZZ_LDFLAGS])
])
