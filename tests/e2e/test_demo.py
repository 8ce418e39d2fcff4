import asyncio
import json
import sys


async def test_the_demo_plays_its_story_by_itself_and_says_what_it_saw() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "outrider_playground.demo", "--check"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(240):
        output, errors = await process.communicate()
    report = json.loads(output)
    assert report["ok"], f"{report}\n{errors.decode()}"
    assert process.returncode == 0
    assert len(report["steps"]) == 8
    assert all(step["ok"] for step in report["steps"])
