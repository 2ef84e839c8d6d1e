from support.publisher import *
from support.driving import *
from support.workload import *
async def test_it(systems):
    system=systems.start(commands=1,projectors=1)
    s=system.settings
    async with Publisher(s) as p, doors(s, system.commands[0].url) as (door,), connected(s) as c:
        r=await door.send(registration(fresh_id(),fresh_id())); print(r.status_code,r.text)
        print(await over_kafka(p)(registration(fresh_id(),fresh_id())))
        if 1:
            t=await new_tenant(door,c); print(t)
            await check_tables(s)
            print(system.projectors[0].metrics()[-3000:])
    print(system.commands[0].stop()); print(system.commands[0].tail())
