"""The machine and the state of the program that figures belong to."""
import os
import subprocess

FLAGS = ["avx2", "avx_vnni", "avx512bw", "avx512_vnni", "avx512_vpopcntdq", "amx_int8", "asimddp"]


def cpu_info():
    info = {}
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        for line in lines:
            name, _, value = line.partition(":")
            info.setdefault(name.strip(), value.strip())
    return info


def machine():
    info = cpu_info()
    flags = (info.get("flags", "") + " " + info.get("Features", "")).split()
    with open("/etc/os-release", encoding="utf-8") as lines:
        system = dict(line.rstrip().split("=", 1) for line in lines if "=" in line)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"cpu": info.get("model name", os.uname().machine),
            "family": f"{info.get('cpu family', '?')}/{info.get('model', '?')}",
            "cores": len(os.sched_getaffinity(0)),
            "flags": [flag for flag in FLAGS if flag in flags],
            "memory_gib": round(memory / 2 ** 30, 1),
            "system": system.get("PRETTY_NAME", "unknown").strip('"')}


def commit(root):
    """The commit, and whether what is measured differs from it; results are no part of that."""
    def git(*words):
        return subprocess.run(["git", "-c", "safe.directory=*", "-C", root, *words], check=True,
                              stdout=subprocess.PIPE, text=True).stdout.strip()
    try:
        name = git("describe", "--always")
        changed = git("status", "--porcelain", "--untracked-files=no", "--", ".",
                      ":!bench/results", ":!bench/RESULTS.md", ":!README.md")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return name + ("-dirty" if changed else "")
