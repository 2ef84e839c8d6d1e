import asyncio, os, signal, time, subprocess
from pathlib import Path
import httpx, pytest
from support.processes import System
from support.stack import FreshSettings
from daybook_infra.stack.embedded import EmbeddedStack
from support.door_doubles import rename
import orjson, uuid, jwt

def kafka_pid(bootstrap):
    port = bootstrap.rsplit(":",1)[1]
    out = subprocess.run(["ss","-ltnpH",f"sport = :{port}"],capture_output=True,text=True).stdout
    import re
    return int(re.search(r"pid=(\d+)", out).group(1))

@pytest.mark.timeout(300)
async def test_away(fresh_settings, tmp_path):
    s = fresh_settings(partitions=6)
    system = System(s, tmp_path)
    system.start("command"); system.start("projector")
    try:
        system.wait_ready()
        url = system.commands[0].url
        tok = jwt.encode({"sub":"t","role":"service_role","aud":"daybook","exp":int(time.time())+3600}, s.jwt_secret.get_secret_value(), "HS256")
        h = {"Authorization": f"Bearer {tok}"}
        async with httpx.AsyncClient(headers=h, timeout=60) as c:
            async def reg():
                u = str(uuid.uuid4()); t=time.monotonic()
                try:
                    a = await c.post(f"{url}/v1/commands", content=orjson.dumps({"type":"REGISTER_USER","data":{"user_id":u}}))
                except httpx.TransportError as e:
                    return repr(e)
                return a.status_code, a.json().get("detail","ok")[:60], round(time.monotonic()-t,3), a.headers.get("retry-after")
            print("up", await reg())
            # giant bodies
            async def big():
                for _ in range(200):
                    yield b" "*65536
            a = await c.post(f"{url}/v1/commands", content=big()); print("chunked 13MB", a.status_code, a.text[:200])
            a = await c.post(f"{url}/v1/commands", content=b" "*20_000_000); print("20MB", a.status_code)
            a = await c.post(f"{url}/v1/commands:batch", content=b"["+b" "*5_000_000); print("5MB batch", a.status_code)
            print("after", await reg())
            pid = kafka_pid(s.kafka_bootstrap)
            os.kill(pid, signal.SIGSTOP)
            t0=time.monotonic()
            print("stopped", await asyncio.gather(*(reg() for _ in range(5))))
            for _ in range(4): print("stopped later", round(time.monotonic()-t0,1), await reg())
            r = await c.get(f"{url}/readyz"); print(r.status_code, r.text[:300])
            os.kill(pid, signal.SIGCONT)
            t0=time.monotonic()
            for _ in range(12):
                print("cont", round(time.monotonic()-t0,1), await reg()); await asyncio.sleep(.5)
            # kill & restart
            os.kill(pid, signal.SIGKILL)
            await asyncio.sleep(.2)
            t0=time.monotonic()
            for _ in range(6): print("killed", round(time.monotonic()-t0,1), await reg())
            r = await c.get(f"{url}/readyz"); print(r.status_code, r.text[:300])
            t=time.monotonic(); code = system.commands[0].stop(30); print("SIGTERM exit", code, round(time.monotonic()-t,1))
    finally:
        print(system.commands[0].tail()[-3500:])
        system.stop()
