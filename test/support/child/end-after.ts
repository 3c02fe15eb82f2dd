import { endAfter } from '../last-step'
import type * as Lives from '../lives'

// Lives a life up to its n-th step, and is killed there, or says so on stdout and stays as it is.

const [kind, steps, how, place = ''] = process.argv.slice(2)

endAfter(Number(steps), () => {
  if (how === 'die') process.kill(process.pid, 'SIGKILL')
  setInterval(() => undefined, 60_000)
  process.stdout.write('held\n')
})

async function live(): Promise<void> {
  // After the counting has begun: the addon is taken as it is when it is first asked for.
  const { liveAsManager, liveAsSandbox } = require('../lives') as typeof Lives
  const parsed: Lives.LifePlace = JSON.parse(place)
  await (kind === 'sandbox' ? liveAsSandbox(parsed) : liveAsManager(parsed))
}

void live()
