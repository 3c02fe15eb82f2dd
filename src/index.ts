export type { DriverOption } from './driver'
export type { DestroyReport } from './engine/drain'
export type { OperationOutcome } from './engine/execute'
export type { MovedThread } from './engine/moves'
export type { LeftThread, Report } from './engine/report'
export type { VmExit, VmProcess } from './engine/vm-process'
export {
  CgroupError,
  isVmcgError,
  type LaunchStepName,
  QmpError,
  SpawnError,
  SystemdError,
  VmcgError,
  type VmcgErrorCode,
  type VmcgErrorDetails,
} from './errors'
export type {
  BlockDeviceStats,
  ByteCounterStats,
  CgroupStats,
  CpuStats,
  MemoryEvents,
  MemoryParts,
  MemoryStats,
  PidsStats,
  PressureStats,
  ResourcePressure,
  Stall,
  ThrottlingStats,
} from './host/cgroup-figures'
export { type DetectHostOptions, detectHost, type Host } from './host/detect'
export { type HypervisorDevicesOptions, hypervisorDevices } from './host/devices'
export type { CgroupLayout, Hierarchy } from './host/hierarchies'
export type { RoleStats, RolesStats, SandboxStats, ThreadsStats } from './host/stats'
export type { StatsGroup, StatsMember } from './host/stats-groups'
export type { Hypervisor, HypervisorCallOptions, HypervisorThreads } from './hypervisor/hypervisor'
export { QemuHypervisor, type QemuOptions } from './hypervisor/qemu'
export type { QmpCallOptions } from './hypervisor/qmp-client'
export { QmpCommandError } from './hypervisor/qmp-errors'
export type { QmpEvent, QmpEventOptions } from './hypervisor/qmp-events'
export type { LaunchOptions, LaunchStdio, ResourceLimit, ResourceName } from './launch-options'
export type { Logger } from './log'
export { CgroupManager } from './manager'
export type { CgroupManagerConfig, CpusetOptions, DeviceOptions, ManagerJson } from './manager-options'
export {
  isSystemdCgroupPath,
  type NormalizeCgroupPathOptions,
  normalizeCgroupPath,
  type SystemdUnit,
  systemdUnit,
} from './model/cgroup-path'
export { CONFIG_JSON_KEY, type ContainerConfig } from './model/container'
export { formatCpuList, parseCpuList } from './model/cpu-list'
export { type MergeCpuOptions, mergeCpu } from './model/cpu-merge'
export type { LinuxCpu, LinuxDeviceCgroup, LinuxResources, OciSpec } from './model/generated/oci'
export { type MergeOptions, mergeResources } from './model/merge'
export { blkioWeightToIoWeight, cpuSharesToWeight, swapLimitV2 } from './model/resources/conversions-v2'
export type { Knob, KnobWrite, ObservedKnobs } from './model/resources/knob'
export { knobsOf } from './model/resources/knobs-of'
export { type ResourceWritesOptions, resourceWrites } from './model/resources/resource-writes'
export type { OnUnsupported } from './model/resources/unsupported'
export { type FormatPlanOptions, formatPlan } from './plan/format-plan'
export type { Operation, Plan, Stage } from './plan/operations'
export { Sandbox } from './sandbox'
export type { AppliedSandbox } from './sandbox-all'
export type { ListedSandbox, ListOptions, UnreadableState } from './sandbox-list'
export type {
  ActOptions,
  ApplyOptions,
  AttachOptions,
  DestroyOptions,
  KillOptions,
  LoadOptions,
  SandboxOptions,
} from './sandbox-options'
export type { ReadSandbox, StatsOf, StatsOptions } from './sandbox-stats'
export type { SandboxThread, ThreadRole } from './sandbox-threads'
export { BusReplyError } from './systemd/bus-errors'
export { UnitJobError } from './systemd/unit-errors'
