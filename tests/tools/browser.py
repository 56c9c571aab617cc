#!/usr/bin/python3
# What a test does to a page that is open in a Chromium with --remote-debugging-port=PORT:
#
#	browser.py PORT EXPRESSION			evaluates JavaScript and prints what comes of it
#	browser.py PORT --shot FILE WIDTH HEIGHT SCHEME	a picture of it, as if the window had that size; light or dark;
#							prints how wide the page is then
import asyncio
import base64
import json
import sys
import urllib.request

import websockets


class Page:
    def __init__(self, socket):
        self.socket, self.last = socket, 0

    async def ask(self, method, **params):
        self.last += 1
        await self.socket.send(json.dumps({"id": self.last, "method": method, "params": params}))
        while True:
            message = json.loads(await asyncio.wait_for(self.socket.recv(), 15))
            if message.get("id") == self.last:
                return message["result"] if "result" in message else sys.exit(str(message))


async def evaluate(page, expression):
    answer = await page.ask("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
    if "exceptionDetails" in answer:
        sys.exit(str(answer["exceptionDetails"].get("exception", {}).get("description")))
    print(answer["result"].get("value", ""))


async def shot(page, file, width, height, scheme):
    await page.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    await page.ask("Emulation.setDeviceMetricsOverride", width=int(width), height=int(height), deviceScaleFactor=1, mobile=False)
    await asyncio.sleep(1.5)  # the page draws anew when its size changes, and each second
    picture = await page.ask("Page.captureScreenshot", format="png")
    with open(file, "wb") as out:
        out.write(base64.b64decode(picture["data"]))
    await evaluate(page, "document.documentElement.scrollWidth")


async def main(port, *words):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=5) as answer:
        address = next(p for p in json.load(answer) if p["type"] == "page")["webSocketDebuggerUrl"]
    async with websockets.connect(address, max_size=1 << 26) as socket:
        page = Page(socket)
        await (shot(page, *words[1:]) if words[0] == "--shot" else evaluate(page, words[0]))


asyncio.run(main(*sys.argv[1:]))
