# SPDX-License-Identifier: MIT
# guest.sh - guests under QEMU, driven from here: . tests/vm/guest.sh
# shellcheck shell=bash
#
#   vm_image                   kernel and initramfs, made if need be; 77: cannot
#   vm_start NAME [KEY=VALUE]  QEMU in the background; ${vm_pid[NAME]}
#   vm_up NAME [BOOTS]         wait until its agent answers (after that boot)
#   vm_cmd NAME UID COMMAND... run it there: its output, its exit status
#   vm_qmp NAME COMMAND [JSON] a command of QEMU's machine protocol
#   vm_pause NAME, vm_resume NAME   stop and cont
#   vm_reset NAME              system_reset
#   vm_unplug NAME, then vm_plug NAME   both devices (hotplug=1)
#   vm_kill NAME               kill -9
#   vm_stop NAME               the end of it
#   vm_ended NAME              has QEMU ended?
#   vm_cleanup                 all of them; for the caller's trap
#
# Keys of vm_start, with their defaults:
#   domain=default	whose sockets
#   vectors=8		of the pool device; control_vectors=1 of the other
#   iommu=1		0: no vIOMMU
#   dax=1		0: no nvdimm; "late": there, but the guest has no driver
#   mem=256		MiB;  smp=1
#   nofile=N		RLIMIT_NOFILE of QEMU
#   hotplug=0		1: both devices sit behind ports of their own
#   devices=1		0: none of SNOO's devices at first
#   daemon=1		0: no guest daemon at boot
#   options=K=V,K=V	for the guest daemon's configuration
#   net=FROM,TO,IP	virtio-net over two datagram sockets; mtu=N
#   append=WORDS	more of the kernel's command line
#
# Needs D (a folder for sockets and logs, with a short name) and B (the build).
# Sockets of the daemon: $D/DOMAIN.{ivshmem,control}.sock, $D/DOMAIN.pool.

: "${B:=build}"
VM_DIR=$B/vm
VM_BIN=$B/vm/prog
VM_QEMU=${VM_QEMU:-qemu-system-x86_64}
VM_WAIT_S=${VM_WAIT_S:-60}
declare -A vm_pid=() vm_link=() vm_plug=()

vm_image() {
	"$(dirname "${BASH_SOURCE[0]}")/image.sh" "$VM_DIR"
}

# vm_devices NAME: QEMU's options for the two devices, in the array args.
vm_devices() {
	local pool_bus='' control_bus=''
	if [[ ${o[hotplug]} == 1 ]]; then
		# A port's window is reserved when it is set up, for what comes.
		args+=(-device "pcie-root-port,id=rp0,chassis=1,slot=1,pref64-reserve=256M"
			-device "pcie-root-port,id=rp1,chassis=2,slot=2,pref64-reserve=16M")
		pool_bus=,bus=rp0
		control_bus=,bus=rp1
	fi
	[[ ${o[devices]} == 0 ]] && return
	args+=(-chardev "socket,path=$D/${o[domain]}.ivshmem.sock,id=pool"
		-device "ivshmem-doorbell,chardev=pool,id=pooldev,vectors=${o[vectors]}$pool_bus"
		-chardev "socket,path=$D/${o[domain]}.control.sock,id=control"
		-device "ivshmem-doorbell,chardev=control,id=controldev,vectors=${o[control_vectors]}$control_bus")
}

vm_memory() {
	local pool=$D/${o[domain]}.pool bytes size
	if [[ ${o[dax]} == 0 ]]; then
		args+=(-M q35 -m "${o[mem]}")
		return
	fi
	bytes=$(stat -L -c %s "$pool") || return
	size="${o[mem]},slots=2,maxmem=64G"
	# shellcheck disable=SC2054 # commas are QEMU's
	args+=(-M q35,nvdimm=on -m "$size"
		-object "memory-backend-file,id=nv,share=on,mem-path=$pool,size=$bytes,align=2M"
		-device nvdimm,memdev=nv,id=nvdimm)
}

vm_network() {
	local from to ip
	[[ -n ${o[net]} ]] || return 0
	IFS=, read -r from to ip <<<"${o[net]}"
	rm -f "$from"
	args+=(-netdev "dgram,id=net,local.type=unix,local.path=$from,remote.type=unix,remote.path=$to"
		-device "virtio-net-pci,netdev=net,romfile=,mac=52:54:00:00:00:0${ip##*.}${o[mtu]:+,host_mtu=${o[mtu]}}")
	append+=" GUEST_ADDRESS=$ip ${o[mtu]:+GUEST_MTU=${o[mtu]}}"
}

vm_start() {
	local name=$1 append word
	local -a args=()
	local -A o=([domain]=default [vectors]=8 [control_vectors]=1 [iommu]=1
		[dax]=1 [mem]=256 [smp]=1 [nofile]='' [hotplug]=0 [devices]=1
		[daemon]=1 [options]='' [net]='' [mtu]='' [append]='')
	shift
	for word in "$@"; do
		[[ -v o[${word%%=*}] ]] || {
			printf 'vm_start: unknown %s\n' "$word" >&2
			return 2
		}
		o[${word%%=*}]=${word#*=}
	done
	append="console=ttyS0 quiet panic=-1 GUEST_NAME=$name GUEST_DAEMON=${o[daemon]}"
	append+=" GUEST_OPTIONS=${o[options]}"
	[[ ${o[dax]} == 1 ]] || append+=" GUEST_DAX=0"
	vm_memory || return
	[[ ${o[iommu]} == 0 ]] || args+=(-device "intel-iommu,intremap=on")
	vm_devices
	vm_network
	rm -f "$D/$name.port" "$D/$name.qmp" "$D/$name.cmd"
	(
		[[ -z ${o[nofile]} ]] || ulimit -n "${o[nofile]}"
		exec setpriv --pdeathsig KILL "$VM_QEMU" -accel tcg \
			-name "guest=$name,debug-threads=on" -smp "${o[smp]}" \
			-nodefaults -no-user-config -display none \
			-serial "file:$D/$name.console" \
			-kernel "$VM_DIR/vmlinuz" -initrd "$VM_DIR/initramfs" \
			-append "$append ${o[append]}" "${args[@]}" \
			-device virtio-serial-pci,id=ports \
			-chardev "socket,path=$D/$name.port,server=on,wait=off,id=agent" \
			-device virtserialport,chardev=agent,name=agent \
			-chardev "socket,path=$D/$name.qmp,server=on,wait=off,id=qmp" \
			-mon chardev=qmp,mode=control
	) >"$D/$name.qemu" 2>&1 </dev/null &
	vm_pid[$name]=$!
	setpriv --pdeathsig KILL "$VM_BIN/link" "$D/$name.port" "$D/$name.cmd" \
		>"$D/$name.link" 2>&1 </dev/null &
	vm_link[$name]=$!
}

vm_ended() {
	local s
	[[ -r /proc/${vm_pid[$1]}/stat ]] || return 0
	s=$(<"/proc/${vm_pid[$1]}/stat") 2>/dev/null || return 0
	s=${s##*) }
	[[ ${s:0:1} == [ZX] ]]
}

vm_boots() {
	local n
	n=$("$VM_BIN/cmd" "$D/$1.cmd" boots 2>/dev/null)
	printf '%d\n' "${n:-0}"
}

vm_up() {
	local end=$((SECONDS + VM_WAIT_S))
	until (($(vm_boots "$1") >= ${2:-1})); do
		vm_ended "$1" && return 1
		((SECONDS < end)) || return 1
		sleep 0.05
	done
}

# What a failed test should show of a guest.
vm_tell() {
	printf '%s: QEMU says:\n' "$1"
	tail -n 5 "$D/$1.qemu"
	printf 'its console:\n'
	tail -n 15 "$D/$1.console"
}

# In the background it is the process itself, so that $! can be killed.
vm_cmd() {
	local name=$1
	shift
	((BASHPID == $$)) || exec "$VM_BIN/cmd" "$D/$name.cmd" "$@"
	"$VM_BIN/cmd" "$D/$name.cmd" "$@"
}

# vm_qmp NAME COMMAND [JSON]
vm_qmp() {
	"$VM_BIN/qmp" "$D/$1.qmp" "$2" "${3:-{\}}"
}

vm_pause() { vm_qmp "$1" stop >/dev/null; }
vm_resume() { vm_qmp "$1" cont >/dev/null; }
vm_reset() { vm_qmp "$1" system_reset >/dev/null; }

# QEMU 7.2 without irqfd (TCG) closes the eventfds of an unplugged device's own
# vectors but keeps their handlers: whatever gets one of these numbers next, such
# as a new connection, makes it call a device that is gone.  So the numbers are
# filled at once, over a connection that was there before.  With KVM the vectors
# have no handlers.
vm_unplug() {
	local name=$1 d=$D/${2:-default}
	local -a commands=(device_del '{"id":"controldev"}' fill 16
		device_del '{"id":"pooldev"}' fill 128
		chardev-remove '{"id":"control"}' chardev-remove '{"id":"pool"}'
		hold "$D/$name.hold")
	vm_socket pool "$d.ivshmem.sock"
	vm_socket control "$d.control.sock"
	commands+=(device_add '{"driver":"ivshmem-doorbell","chardev":"pool",
			"id":"pooldev","vectors":8,"bus":"rp0"}'
		device_add '{"driver":"ivshmem-doorbell","chardev":"control",
			"id":"controldev","vectors":1,"bus":"rp1"}')
	: >"$D/$name.hold"
	"$VM_BIN/qmp" "$D/$name.qmp" "${commands[@]}" >"$D/$name.plug" 2>&1 &
	vm_plug[$name]=$!
	until (($(grep -c return "$D/$name.plug") == 4)); do
		kill -0 "${vm_plug[$name]}" 2>/dev/null || return
		sleep 0.05
	done
}

vm_socket() {
	commands+=(chardev-add "{\"id\":\"$1\",\"backend\":{\"type\":\"socket\",
		\"data\":{\"addr\":{\"type\":\"unix\",\"data\":{\"path\":\"$2\"}},
		\"server\":false}}}")
}

vm_plug() {
	rm -f "$D/$1.hold"
	wait "${vm_plug[$1]}" || {
		cat "$D/$1.plug"
		return 1
	}
}

# vm_gone NAME: after its end; nothing of it is left running.
vm_gone() {
	wait "${vm_pid[$1]}" 2>/dev/null
	kill "${vm_link[$1]}" 2>/dev/null
	wait "${vm_link[$1]}" 2>/dev/null
	unset "vm_pid[$1]" "vm_link[$1]"
}

vm_kill() {
	kill -KILL "${vm_pid[$1]}" 2>/dev/null
	vm_gone "$1"
}

# A guest has nothing to save.
vm_stop() {
	kill -TERM "${vm_pid[$1]}" 2>/dev/null
	vm_gone "$1"
}

vm_cleanup() {
	local name
	for name in "${!vm_pid[@]}"; do
		kill -KILL "${vm_pid[$name]}" "${vm_link[$name]}" 2>/dev/null
	done
	for name in "${!vm_pid[@]}"; do
		vm_gone "$name"
	done
}
