# The shell of `npm run test:vm -- <guest> --shell`, with the host's idea of the terminal's size.
[ -r /vmcg/terminal ] && stty $(cat /vmcg/terminal)
. "$(dirname "$0")/modules.sh"
cat <<'END'

  This checkout is a copy: nothing that you change here stays. A test file:
    node test/node_modules/jest/bin/jest.js -c test/jest.config.js -i <pattern>
  exit ends the guest.

END
exec setsid --ctty --wait /bin/bash
