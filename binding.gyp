{
  # The core, the addon and every executable are built with the flags of target_defaults. The include directories come
  # from npm packages, so that no Node headers have to be installed or downloaded.
  'variables': {
    # node-gyp rebuild -- -Dsanitize=address,undefined (or thread)
    'sanitize%': '',
    'napi_include_dirs': [
      "<!(node -p \"require('node-addon-api').include_dir\")",
      "<!(node -p \"require('node-api-headers').include_dir\")",
    ],
  },
  'target_defaults': {
    'default_configuration': 'Release',
    'configurations': {
      'Debug': {'cflags': ['-g', '-O0']},
      'Release': {'cflags': ['-O2']},
    },
    'cflags': ['-fPIC', '-fvisibility=hidden', '-Wall', '-Wextra', '-Werror', '-pthread'],
    'cflags_cc!': ['-std=gnu++17', '-std=gnu++20'],
    'cflags_cc': ['-std=c++20', '-fno-exceptions', '-fno-rtti'],
    'ldflags': ['-pthread'],
    'conditions': [
      ['sanitize!=""', {
        # The check of vptr needs RTTI. With a sanitizer GCC 12 takes variants for uninitialized that are not.
        'cflags': [
          '-fsanitize=<(sanitize)', '-fno-sanitize=vptr', '-fno-sanitize-recover=all', '-fno-omit-frame-pointer', '-g',
          '-Wno-maybe-uninitialized',
        ],
        'ldflags': ['-fsanitize=<(sanitize)'],
      }],
    ],
  },
  'targets': [
    {
      'target_name': 'vmcg-core',
      'type': 'static_library',
      'sources': [
        'native/core/batch_codec.cc',
        'native/core/batch_run.cc',
        'native/core/bpf.cc',
        'native/core/child.cc',
        'native/core/detached_thread.cc',
        'native/core/device_programs.cc',
        'native/core/device_stat.cc',
        'native/core/directory.cc',
        'native/core/entry.cc',
        'native/core/figure_parse.cc',
        'native/core/file_io.cc',
        'native/core/file_lock.cc',
        'native/core/held_programs.cc',
        'native/core/inspect.cc',
        'native/core/kept_files.cc',
        'native/core/lane.cc',
        'native/core/launch.cc',
        'native/core/launch_codec.cc',
        'native/core/meter.cc',
        'native/core/meter_reading.cc',
        'native/core/operations.cc',
        'native/core/reaper.cc',
        'native/core/replacement.cc',
        'native/core/root.cc',
        'native/core/task_list.cc',
        'native/core/unix_socket.cc',
      ],
    },
    {
      'target_name': 'vmcg',
      'dependencies': ['vmcg-core'],
      'include_dirs': ['<@(napi_include_dirs)'],
      'sources': [
        'native/binding/addon.cc',
        'native/binding/addon_launch.cc',
        'native/binding/arguments.cc',
        'native/binding/batch_port.cc',
        'native/binding/children.cc',
        'native/binding/descriptors.cc',
        'native/binding/devices.cc',
        'native/binding/launch_port.cc',
        'native/binding/meter_table.cc',
      ],
      # The end of a worker thread unloads its addons, but a lane's thread never ends.
      'ldflags': ['-Wl,-z,nodelete'],
    },
    {
      'target_name': 'vmcg-launch',
      'type': 'executable',
      'sources': [
        'native/launch/exec.cc',
        'native/launch/main.cc',
        'native/launch/steps.cc',
      ],
      'conditions': [
        # Without shared libraries it is up in a third of the time. Sanitizers need theirs.
        ['sanitize==""', {'ldflags': ['<!@(node tools/setup/static-flag.js)']}],
      ],
    },
    {
      'target_name': 'vmcg-spinvm',
      'type': 'executable',
      'sources': [
        'native/spinvm/host_guest.cc',
        'native/spinvm/iothread.cc',
        'native/spinvm/json.cc',
        'native/spinvm/json_parser.cc',
        'native/spinvm/kvm_guest.cc',
        'native/spinvm/machine.cc',
        'native/spinvm/main.cc',
        'native/spinvm/options.cc',
        'native/spinvm/qmp_commands.cc',
        'native/spinvm/qmp_device_add.cc',
        'native/spinvm/qmp_framing.cc',
        'native/spinvm/qmp_server.cc',
        'native/spinvm/qmp_session.cc',
        'native/spinvm/utf8.cc',
        'native/spinvm/vcpu.cc',
      ],
    },
  ],
}
