// SPDX-License-Identifier: BSD-2-Clause
// The API (penstock-api(7)), asked at the place that this page came from.

const PATIENCE_MS = 10000;

// What the API itself says against a request.
export class Refused extends Error {}

// Nobody answers, not in time, or not now.
export class Lost extends Error {}

// So many are served that there is no place for us.
export class Full extends Error {}

async function ask(path) {
    try {
        const answer = await fetch(path, {cache: "no-store",
                                          signal: AbortSignal.timeout(PATIENCE_MS)});

        return [answer.status, await answer.text()];
    } catch (error) {
        throw new Lost(error.message);
    }
}

// Throws a Refused, a Lost, or a SyntaxError for what is no JSON.
export async function get(path, query = {}) {
    const set = Object.entries(query).filter(([, value]) => value !== "");
    const text = new URLSearchParams(set).toString();
    const [status, body] = await ask(path + (text && "?" + text));

    if (status >= 500)
        throw new Lost("status " + status);
    const said = JSON.parse(body);

    if (status !== 200)
        throw new Refused(said.error.message);
    return said;
}

// Each line of an endless answer, until it ends or `signal` (an AbortSignal) comes, which may both
// throw.
export async function readLines(path, signal, onLine) {
    const answer = await fetch(path, {cache: "no-store", signal});
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";

    if (answer.status === 503)
        throw new Full();
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
