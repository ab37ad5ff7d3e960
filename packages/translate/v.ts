import { meshOf, openProxy, readCase, staticBootstrap } from '@lateen/testkit'
import { readFileSync, writeFileSync } from 'node:fs'
import { execFileSync } from 'node:child_process'
let bad=0
for (const dir of process.argv.slice(2)) {
  const c=readCase(readFileSync(dir+'/input.yaml','utf8'))
  const p=JSON.parse(readFileSync(dir+'/proxy.json','utf8'))
  let mc={}; try{ mc=JSON.parse(readFileSync(dir+'/meshconfig.yaml','utf8'))}catch{}
  try {
  const mesh=meshOf({header:{mesh:{accessLogFile:'/dev/stdout',...mc}},objects:c.objects})
  const s=openProxy(mesh,{type:p.type,name:p.id.split('.')[0],namespace:p.configNamespace,ip:p.ipAddresses[0],labels:p.labels,metadata:p.metadata})
  writeFileSync('/tmp/b.json',JSON.stringify(staticBootstrap(s)))
  execFileSync('/tmp/ew/x/envoy/_bin/envoy',['--mode','validate','-c','/tmp/b.json','-l','warning'],{stdio:['ignore','ignore','pipe']})
  } catch(e:any){ bad++; console.log(dir.split('/').pop(), (e.stderr?.toString()||e.stack||String(e)).split('\n').filter((l:string)=>/critical|error|Error/.test(l)).slice(0,3).join(' ').slice(0,400)) }
}
console.log('bad',bad,'of',process.argv.length-2)
