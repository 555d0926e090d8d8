#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Write files as a C array: embed.sh FILE... > page_files.inc
set -eu
export LC_ALL=C
number=0
table=
echo "/* Made by src/page/embed.sh. */"
for file; do
    echo "static const unsigned char page_file_$number[] = {"
    od -An -v -tu1 < "$file" | sed -e 's/[0-9][0-9]*/&,/g'
    echo "};"
    table="$table    {\"${file##*/}\", page_file_$number, sizeof(page_file_$number)},
"
    number=$((number + 1))
done
printf 'static const struct page_file page_files[] = {\n%s};\n' "$table"
