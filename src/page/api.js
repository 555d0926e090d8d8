// SPDX-License-Identifier: BSD-2-Clause
// The API (penstock-api(7)), asked at the place that this page came from.

const PATIENCE_MS = 10000;

// What the API itself says against a request.
export class Refused extends Error {}

export async function get(path, query = {}) {
    const set = Object.entries(query).filter(([, value]) => value !== "");
    const text = new URLSearchParams(set).toString();
    const answer = await fetch(path + (text && "?" + text),
                               {cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS)});
    const said = await answer.json();

    if (!answer.ok)
        throw answer.status < 500 ? new Refused(said.error.message) : new Error(said.error.code);
    return said;
}

// Each line of an endless answer, until it ends or `signal` (an AbortSignal) comes, which may both
// throw.
export async function readLines(path, signal, onLine) {
    const answer = await fetch(path, {cache: "no-store", signal});
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";

    if (!answer.ok)
        throw new Error("status " + answer.status);
    for (;;) {
        const {done, value} = await reader.read();

        if (done)
            return;
        const lines = (rest + value).split("\n");

        rest = lines.pop();
        for (const line of lines) {
            if (signal.aborted)
                return;
            onLine(JSON.parse(line));
        }
    }
}
