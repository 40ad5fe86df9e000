import { isoSeconds } from '@/base/clock'
import { microUsdOf, usdOf } from '@/base/usd'
import * as limits from '@/domain/limits'
import { columns } from './columns'
import { type Command, type Context, SHELL, UsageError } from './command'
import { readOptions } from './options'

export const budgetsCommand: Command = {
  name: 'budgets',
  usage: `hub budgets [--json]
hub budgets set [--hub-action refuse|warn] [--unknown-cost-usd N] [--json]

The hub's own budget is MONTHLY_BUDGET_USD; that of an app: hub apps set --monthly-budget-usd N.`,
  summary: 'Show how the budgets of this month stand, and set what happens at their end',
  async run(context) {
    const [verb, ...rest] = context.args
    if (verb === 'set') return await set({ ...context, args: rest })
    if (verb === undefined || verb.startsWith('--')) return await show(context)
    throw new UsageError('say `set`, or nothing')
  },
}

async function show(context: Context): Promise<number> {
  const { values } = readOptions(context.args, { json: { type: 'boolean' } }, 0)
  const hub = await context.openHub()
  try {
    const states = limits.everyBudget(hub.deps)
    if (values.json) context.out(JSON.stringify(states.map(present)))
    else if (states.length === 0) context.out('There is no budget: live jobs may cost anything.')
    else context.out(columns(states.map(cells)))
    return 0
  } finally {
    await hub.close()
  }
}

async function set(context: Context): Promise<number> {
  const { values } = readOptions(
    context.args,
    {
      'hub-action': { type: 'string' },
      'unknown-cost-usd': { type: 'string' },
      json: { type: 'boolean' },
    },
    0,
  )
  const hubAction = actionOf(values['hub-action'])
  const unknownCostMicroUsd = costOf(values['unknown-cost-usd'])
  const change = {
    ...(hubAction === undefined ? {} : { hubAction }),
    ...(unknownCostMicroUsd === undefined ? {} : { unknownCostMicroUsd }),
  }
  if (Object.keys(change).length === 0) throw new UsageError('say what to set')
  const hub = await context.openHub()
  try {
    const now = await limits.setBudgetSettings(hub.deps, SHELL, change)
    const { hubAction: action, unknownCostMicroUsd: cost } = now
    context.out(
      values.json
        ? JSON.stringify({ hub_action: action, unknown_cost_micro_usd: cost })
        : `At the end of the hub's budget: ${action}. A job of unknown cost counts $${usdOf(cost)}.`,
    )
    return 0
  } finally {
    await hub.close()
  }
}

function actionOf(text: string | undefined): limits.BudgetSettings['hubAction'] | undefined {
  if (text === undefined || text === 'refuse' || text === 'warn') return text
  throw new UsageError('--hub-action takes refuse or warn')
}

function costOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const microUsd = microUsdOf(text)
  if (microUsd === null) throw new UsageError('--unknown-cost-usd takes an amount, such as 0.10')
  return microUsd
}

function cells(state: limits.BudgetState): string[] {
  const { app, spentMicroUsd, budgetMicroUsd, percent, action, month } = state
  const sum = `$${usdOf(spentMicroUsd)} of $${usdOf(budgetMicroUsd)}`
  return [app ?? '(hub)', month, state.state, `${percent} %`, sum, action]
}

function present(state: limits.BudgetState) {
  return {
    budget: state.of,
    app: state.app,
    state: state.state,
    percent: state.percent,
    spent_micro_usd: state.spentMicroUsd,
    budget_micro_usd: state.budgetMicroUsd,
    action: state.action,
    month: state.month,
    resets_at: isoSeconds(state.resetsAt),
  }
}
