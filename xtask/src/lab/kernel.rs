// SPDX-License-Identifier: MIT OR Apache-2.0
//! Kernel configs, their variants, flavors, and the machines that run them.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::lab::names::{FlavorName, KernelName, VariantName};

/// An architecture of the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Arch {
    /// 64-bit x86.
    #[serde(rename = "x86_64")]
    X86_64,
    /// 32-bit x86.
    #[serde(rename = "i386")]
    I386,
}

impl Arch {
    /// What `make ARCH=` wants.
    pub fn make_name(self) -> &'static str {
        match self {
            Arch::X86_64 => "x86_64",
            Arch::I386 => "i386",
        }
    }

    /// The QEMU program: with the wide one a debugger takes a 32-bit kernel for a 64-bit one.
    pub fn qemu(self) -> &'static str {
        match self {
            Arch::X86_64 => "qemu-system-x86_64",
            Arch::I386 => "qemu-system-i386",
        }
    }

    /// The widest guest ABI of the architecture: what init is built for.
    pub fn native_abi(self) -> Abi {
        match self {
            Arch::X86_64 => Abi::Bits64,
            Arch::I386 => Abi::Bits32,
        }
    }
}

/// What guest programs are compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Abi {
    /// `gcc -m64`.
    #[serde(rename = "64")]
    Bits64,
    /// `gcc -m32`.
    #[serde(rename = "32")]
    Bits32,
}

impl Abi {
    /// The compiler's flag.
    pub fn cc_flag(self) -> &'static str {
        match self {
            Abi::Bits64 => "-m64",
            Abi::Bits32 => "-m32",
        }
    }

    /// Debian's name of the architecture.
    pub fn debian(self) -> &'static str {
        match self {
            Abi::Bits64 => "amd64",
            Abi::Bits32 => "i386",
        }
    }
}

/// `[kernel.NAME]`: an architecture, a base config, and fragments.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KernelConfig {
    /// The architecture.
    pub arch: Arch,
    /// A make target such as `tinyconfig` or `defconfig`, or a file under `configs/kernel/`.
    pub base: String,
    /// Files under `configs/kernel/`, later ones win.
    pub fragments: Vec<String>,
    /// Fragments whose symbols are asked for only where the tree has them.
    #[serde(default)]
    pub optional: Vec<String>,
    /// Words for make such as `LLVM=1` or `CC=gcc-12`.
    #[serde(default)]
    pub make: Vec<String>,
    /// The machine that boots it.
    pub machine: Machine,
}

/// What QEMU is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// QEMU's `-machine`.
    pub machine: String,
    /// QEMU's `-cpu` under TCG. KVM always gets `host`.
    pub cpu: String,
    /// Virtual CPUs.
    pub cpus: u32,
    /// Memory in MiB.
    pub memory_mib: u32,
    /// More words for the kernel's command line.
    #[serde(default)]
    pub append: String,
}

/// What QEMU is given of a kernel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum BootImage {
    /// The kernel as it is linked, through its PVH entry: nothing to pack, nothing to unpack.
    #[default]
    #[serde(rename = "vmlinux")]
    Vmlinux,
    /// The packed kernel, through the boot protocol. 5.10's PVH code is compiled with KASAN, and runs
    /// before there is any shadow memory: such a vmlinux ends without a word.
    #[serde(rename = "bzImage")]
    BzImage,
}

impl BootImage {
    /// Its make target, and its name in the cache.
    pub fn name(self) -> &'static str {
        match self {
            BootImage::Vmlinux => "vmlinux",
            BootImage::BzImage => "bzImage",
        }
    }

    /// Where make leaves it in the build directory; i386 leaves a link to it there, too.
    pub fn made(self) -> &'static str {
        match self {
            BootImage::Vmlinux => "vmlinux",
            BootImage::BzImage => "arch/x86/boot/bzImage",
        }
    }
}

/// `[variant.NAME]`: what is added to a kernel config, its machine and its checks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// Files under `configs/kernel/`, after those of the config.
    pub fragments: Vec<String>,
    /// More of them for one kernel config: what another architecture does not have.
    #[serde(default)]
    pub kernel_fragments: BTreeMap<KernelName, Vec<String>>,
    /// Fragments whose symbols are asked for only where the tree has them.
    #[serde(default)]
    pub optional: Vec<String>,
    /// Symbols of which the final config must have one: names that trees give one thing.
    #[serde(default)]
    pub one_of: Vec<String>,
    /// The flavors that it exists for.
    pub flavors: Vec<FlavorName>,
    /// Virtual CPUs, where the variant wants another number.
    pub cpus: Option<u32>,
    /// Memory in MiB, where the variant wants more.
    pub memory_mib: Option<u32>,
    /// More words for the kernel's command line.
    #[serde(default)]
    pub append: String,
    /// What QEMU boots, where the variant's kernel does not boot as a vmlinux.
    pub image: Option<BootImage>,
    /// How many times longer boots and checks may take.
    pub slower: Option<u32>,
    /// Checks that it adds to those of the matrix.
    #[serde(default)]
    pub checks: Vec<String>,
    /// Checks or families of checks that it takes from those of the matrix.
    #[serde(default)]
    pub without: Vec<String>,
}

/// `[flavor.NAME]`: a kernel config and a guest ABI.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flavor {
    /// The kernel config.
    pub kernel: KernelName,
    /// What check programs are compiled for.
    pub abi: Abi,
}

/// A flavor with its variants: `compat+debug`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlavorId {
    /// The plain flavor.
    pub flavor: FlavorName,
    /// Variants, in the order they are applied.
    pub variants: Vec<VariantName>,
}

impl fmt::Display for FlavorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.flavor)?;
        self.variants.iter().try_for_each(|variant| write!(f, "+{variant}"))
    }
}

impl FlavorId {
    /// Reads `compat` or `compat+debug`; whether the names exist is for the lab to say.
    ///
    /// # Errors
    /// A usage fault for a malformed name.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let mut parts = text.split('+');
        let flavor = FlavorName::parse(parts.next().unwrap_or(""))?;
        Ok(Self { flavor, variants: parts.map(VariantName::parse).collect::<Result<_, _>>()? })
    }
}

/// A kernel config with its variants: what one `O=` directory holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KernelId {
    /// The plain config.
    pub kernel: KernelName,
    /// Variants, in the order they are applied.
    pub variants: Vec<VariantName>,
}

impl fmt::Display for KernelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kernel)?;
        self.variants.iter().try_for_each(|variant| write!(f, "+{variant}"))
    }
}
