/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/crc32.h"
#include "base/pack.h"
#include "suite.h"

static struct arena *arena;

static void setup(void)
{
    arena = arena_new();
    ck_assert_ptr_nonnull(arena);
}

static void teardown(void)
{
    arena_free(arena);
}

START_TEST(numbers_are_little_endian)
{
    static const uint8_t expected[] = {0x01, 0x03, 0x02, 0x07, 0x06, 0x05, 0x04, 0x0f, 0x0e, 0x0d,
                                       0x0c, 0x0b, 0x0a, 0x09, 0x08, 0xfe, 0xff, 0xff, 0xff};
    struct packer p = {0};

    pack_u8(&p, 0x01);
    pack_u16(&p, 0x0203);
    pack_u32(&p, 0x04050607);
    pack_u64(&p, UINT64_C(0x08090a0b0c0d0e0f));
    pack_i32(&p, -2);
    ck_assert_int_eq(p.error, 0);
    ck_assert_uint_eq(p.size, sizeof(expected));
    ck_assert_mem_eq(p.bytes, expected, sizeof(expected));

    struct unpacker u = {.at = p.bytes, .left = p.size};
    ck_assert_uint_eq(unpack_u8(&u), 0x01);
    ck_assert_uint_eq(unpack_u16(&u), 0x0203);
    ck_assert_uint_eq(unpack_u32(&u), 0x04050607);
    ck_assert_uint_eq(unpack_u64(&u), UINT64_C(0x08090a0b0c0d0e0f));
    ck_assert_int_eq(unpack_i32(&u), -2);
    ck_assert_int_eq(u.error, 0);
    ck_assert_uint_eq(u.left, 0);
    pack_free(&p);
}
END_TEST

START_TEST(numbers_keep_their_extremes)
{
    struct packer p = {0};

    pack_u8(&p, UINT8_MAX);
    pack_u16(&p, UINT16_MAX);
    pack_u32(&p, UINT32_MAX);
    pack_u64(&p, UINT64_MAX);
    pack_i32(&p, INT32_MIN);
    pack_i32(&p, INT32_MAX);

    struct unpacker u = {.at = p.bytes, .left = p.size};
    ck_assert_uint_eq(unpack_u8(&u), UINT8_MAX);
    ck_assert_uint_eq(unpack_u16(&u), UINT16_MAX);
    ck_assert_uint_eq(unpack_u32(&u), UINT32_MAX);
    ck_assert_uint_eq(unpack_u64(&u), UINT64_MAX);
    ck_assert_int_eq(unpack_i32(&u), INT32_MIN);
    ck_assert_int_eq(unpack_i32(&u), INT32_MAX);
    pack_free(&p);
}
END_TEST

START_TEST(texts_and_blocks_come_back)
{
    static const uint8_t expected[] = {3, 0, 0, 0, 'a', 'b', 'c', 0, 0, 0, 0, 2, 0, 0, 0, 0, 9};
    struct packer p = {0};
    uint32_t size;

    pack_text(&p, "abc");
    pack_text(&p, "");
    pack_block(&p, "\0\x09", 2);
    ck_assert_uint_eq(p.size, sizeof(expected));
    ck_assert_mem_eq(p.bytes, expected, sizeof(expected));

    struct unpacker u = {.at = p.bytes, .left = p.size};
    ck_assert_str_eq(unpack_text(&u, arena), "abc");
    ck_assert_str_eq(unpack_text(&u, arena), "");
    const uint8_t *block = unpack_block(&u, &size, arena);
    ck_assert_uint_eq(size, 2);
    ck_assert_mem_eq(block, "\0\x09", 2);
    ck_assert_int_eq(u.error, 0);
    pack_free(&p);
}
END_TEST

START_TEST(an_empty_block_is_null)
{
    struct packer p = {0};
    uint32_t size = 7;

    pack_block(&p, NULL, 0);
    struct unpacker u = {.at = p.bytes, .left = p.size};
    ck_assert_ptr_null(unpack_block(&u, &size, arena));
    ck_assert_uint_eq(size, 0);
    ck_assert_int_eq(u.error, 0);
    pack_free(&p);
}
END_TEST

START_TEST(it_grows)
{
    struct packer p = {0};

    for (uint32_t i = 0; i < 100000; i++)
        pack_u32(&p, i);
    ck_assert_int_eq(p.error, 0);
    ck_assert_uint_eq(p.size, 400000);

    struct unpacker u = {.at = p.bytes, .left = p.size};
    for (uint32_t i = 0; i < 100000; i++)
        ck_assert_uint_eq(unpack_u32(&u), i);
    pack_free(&p);
}
END_TEST

START_TEST(numbers_are_overwritten_in_place)
{
    struct packer p = {0};

    pack_u64(&p, 0);
    pack_u32(&p, 0);
    pack_u8(&p, 5);
    pack_u64_at(&p, 0, UINT64_C(0x0102030405060708));
    pack_u32_at(&p, 8, 0x0a0b0c0d);

    struct unpacker u = {.at = p.bytes, .left = p.size};
    ck_assert_uint_eq(unpack_u64(&u), UINT64_C(0x0102030405060708));
    ck_assert_uint_eq(unpack_u32(&u), 0x0a0b0c0d);
    ck_assert_uint_eq(unpack_u8(&u), 5);
    ck_assert_uint_eq(p.size, 13);
    pack_free(&p);
}
END_TEST

START_TEST(a_packing_error_sticks)
{
    struct packer p = {0};

    if (SIZE_MAX == UINT32_MAX)
        return; /* there can't be such a block */
    pack_u8(&p, 1);
    pack_block(&p, NULL, (size_t)UINT32_MAX + 1);
    ck_assert_int_eq(p.error, -EOVERFLOW);
    pack_u8(&p, 2);
    pack_text(&p, "text");
    pack_u32_at(&p, 0, 3);
    ck_assert_int_eq(p.error, -EOVERFLOW);
    ck_assert_uint_eq(p.size, 1);
    ck_assert_uint_eq(p.bytes[0], 1);
    pack_free(&p);
}
END_TEST

START_TEST(no_more_than_what_it_may_be)
{
    struct packer p = {.most = 1000};
    uint8_t bytes[993] = {0};

    pack_u32(&p, 7);
    pack_block(&p, bytes, sizeof(bytes)); /* one too many */
    ck_assert_int_eq(p.error, -EFBIG);
    ck_assert_uint_le(p.size, 8);
    pack_u8(&p, 1); /* there is room for this, but not for the record it is of */
    ck_assert_int_eq(p.error, -EFBIG);
    ck_assert_uint_le(p.size, 8);
    pack_free(&p);
    p = (struct packer){.most = 1000};
    pack_u32(&p, 7);
    pack_block(&p, bytes, sizeof(bytes) - 1);
    ck_assert_int_eq(p.error, 0);
    ck_assert_uint_eq(p.size, p.most);
    pack_u8(&p, 1);
    ck_assert_int_eq(p.error, -EFBIG);
    pack_free(&p);
}
END_TEST

START_TEST(without_memory_it_stays_as_it_was)
{
    struct packer p = {0};

    pack_u8(&p, 1);
    pack_raw(&p, "", SIZE_MAX); /* nothing is read where nothing can be copied to */
    ck_assert_int_eq(p.error, -ENOMEM);
    pack_u8(&p, 2);
    ck_assert_uint_eq(p.size, 1);
    pack_free(&p);
    ck_assert_ptr_null(p.bytes);
}
END_TEST

/* The bytes sit at the very end of an allocation, for the sanitizers to see one read too many. */
static struct unpacker unpacker_of(const void *bytes, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);

    ck_assert_ptr_nonnull(copy);
    memcpy(copy, bytes, size);
    return (struct unpacker){.at = copy, .left = size};
}

START_TEST(nothing_is_read_past_the_end)
{
    static const uint8_t bytes[7] = {1, 2, 3, 4, 5, 6, 7};

    for (int kind = 0; kind < 5; kind++) {
        static const size_t needs[5] = {1, 2, 4, 8, 4};
        struct unpacker u = unpacker_of(bytes, needs[kind] - 1);
        const uint8_t *start = u.at;
        uint64_t value = kind == 0   ? unpack_u8(&u)
                         : kind == 1 ? unpack_u16(&u)
                         : kind == 2 ? unpack_u32(&u)
                         : kind == 3 ? unpack_u64(&u)
                                     : (uint64_t)unpack_i32(&u);

        ck_assert_uint_eq(value, 0);
        ck_assert_int_eq(u.error, -EBADMSG);
        free((void *)(uintptr_t)start);
    }
}
END_TEST

START_TEST(an_unpacking_error_sticks)
{
    static const uint8_t bytes[3] = {1, 2, 3};
    struct unpacker u = {.at = bytes, .left = sizeof(bytes)};
    uint8_t raw[2] = {9, 9};
    uint32_t size = 7;

    ck_assert_uint_eq(unpack_u32(&u), 0);
    ck_assert_uint_eq(unpack_u8(&u), 0); /* which would be there */
    unpack_raw(&u, raw, sizeof(raw));
    ck_assert_uint_eq(raw[0] + raw[1], 0);
    ck_assert_ptr_null(unpack_block(&u, &size, arena));
    ck_assert_uint_eq(size, 0);
    ck_assert_str_eq(unpack_text(&u, arena), "");
    ck_assert_uint_eq(unpack_count(&u, 1), 0);
    ck_assert_int_eq(u.error, -EBADMSG);
}
END_TEST

START_TEST(lengths_are_held_against_what_is_there)
{
    static const uint8_t bytes[][8] = {
        {4, 0, 0, 0, 'a', 'b', 'c'}, {0xff, 0xff, 0xff, 0xff, 'a', 'b', 'c'}, {3, 0, 0, 1, 'a'}};
    uint32_t size;

    for (size_t i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
        struct unpacker text = {.at = bytes[i], .left = 7}, block = text;

        ck_assert_str_eq(unpack_text(&text, arena), "");
        ck_assert_int_eq(text.error, -EBADMSG);
        ck_assert_ptr_null(unpack_block(&block, &size, arena));
        ck_assert_int_eq(block.error, -EBADMSG);
    }
}
END_TEST

START_TEST(a_text_has_no_nul_inside)
{
    static const uint8_t bytes[] = {3, 0, 0, 0, 'a', 0, 'c'};
    struct unpacker u = {.at = bytes, .left = sizeof(bytes)};

    ck_assert_str_eq(unpack_text(&u, arena), "");
    ck_assert_int_eq(u.error, -EBADMSG);
}
END_TEST

START_TEST(counts_are_held_against_what_is_there)
{
    static const uint8_t two[] = {2, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8};
    static const uint8_t many[] = {0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4};
    struct unpacker fits = {.at = two, .left = sizeof(two)};
    struct unpacker short_by_one = {.at = two, .left = sizeof(two) - 1};
    struct unpacker huge = {.at = many, .left = sizeof(many)};

    ck_assert_uint_eq(unpack_count(&fits, 4), 2);
    ck_assert_int_eq(fits.error, 0);
    ck_assert_uint_eq(unpack_count(&short_by_one, 4), 0);
    ck_assert_int_eq(short_by_one.error, -EBADMSG);
    ck_assert_uint_eq(unpack_count(&huge, 1), 0);
    ck_assert_int_eq(huge.error, -EBADMSG);
}
END_TEST

/* The check value of the algorithm's usual description, and others reckoned by zlib. */
START_TEST(the_checksum_is_the_usual_one)
{
    uint8_t all[256];

    for (size_t i = 0; i < sizeof(all); i++)
        all[i] = (uint8_t)i;
    ck_assert_uint_eq(crc32_of("123456789", 9), 0xcbf43926);
    ck_assert_uint_eq(crc32_of("", 0), 0);
    ck_assert_uint_eq(crc32_of("\0\0\0\0", 4), 0x2144df1c);
    ck_assert_uint_eq(crc32_of(all, sizeof(all)), 0x29058c73);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pack");
    TCase *tcase = tcase_create("pack");

    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, numbers_are_little_endian);
    tcase_add_test(tcase, numbers_keep_their_extremes);
    tcase_add_test(tcase, texts_and_blocks_come_back);
    tcase_add_test(tcase, an_empty_block_is_null);
    tcase_add_test(tcase, it_grows);
    tcase_add_test(tcase, numbers_are_overwritten_in_place);
    tcase_add_test(tcase, a_packing_error_sticks);
    tcase_add_test(tcase, no_more_than_what_it_may_be);
    tcase_add_test(tcase, without_memory_it_stays_as_it_was);
    tcase_add_test(tcase, nothing_is_read_past_the_end);
    tcase_add_test(tcase, an_unpacking_error_sticks);
    tcase_add_test(tcase, lengths_are_held_against_what_is_there);
    tcase_add_test(tcase, a_text_has_no_nul_inside);
    tcase_add_test(tcase, counts_are_held_against_what_is_there);
    tcase_add_test(tcase, the_checksum_is_the_usual_one);
    return suite_run(suite);
}
