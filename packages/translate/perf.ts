import { createMesh } from './src/index.ts'
import { difference } from '../xds/src/resource-source.ts'
const mesh = createMesh({clusterId:'Kubernetes',domain:'cluster.local',rootNamespace:'istio-system',trustDomain:'cluster.local',onFault:(w,e)=>console.error(w,e)})
mesh.setMeshConfig({accessLogFile:'/dev/stdout'})
const N=1000,E=3,NS=20
const ns=(i:number)=>`bench-${String(i%NS).padStart(3,'0')}`, sv=(i:number)=>`svc-${String(i).padStart(5,'0')}`, ip=(p:number)=>`10.${16+Math.floor(p/62500)}.${Math.floor(p/250)%250}.${1+p%250}`
const changes:any[]=[]
for(let i=0;i<N;i++){
 changes.push({operation:'set',object:{apiVersion:'v1',kind:'Service',metadata:{name:sv(i),namespace:ns(i)},spec:{clusterIP:`10.97.${Math.floor(i/250)}.${1+i%250}`,selector:{app:sv(i)},ports:[{name:'http',port:80,targetPort:8080}]}}})
 const eps=[]
 for(let e=0;e<E;e++){const p=e*N+i; changes.push({operation:'set',object:{apiVersion:'v1',kind:'Pod',metadata:{name:`${sv(i)}-${e}`,namespace:ns(i),labels:{app:sv(i),version:'v1','security.istio.io/tlsMode':'istio'}},spec:{nodeName:'node-1',serviceAccountName:'default',containers:[{ports:[{containerPort:8080}]}]},status:{phase:'Running',podIP:ip(p),podIPs:[{ip:ip(p)}],conditions:[{type:'Ready',status:'True'}]}}}); eps.push({addresses:[ip(p)],conditions:{ready:true},targetRef:{kind:'Pod',namespace:ns(i),name:`${sv(i)}-${e}`}})}
 changes.push({operation:'set',object:{apiVersion:'discovery.k8s.io/v1',kind:'EndpointSlice',addressType:'IPv4',metadata:{name:sv(i)+'-1',namespace:ns(i),labels:{'kubernetes.io/service-name':sv(i)}},endpoints:eps,ports:[{name:'http',port:8080}]}})
}
const T=(n:string,f:()=>void)=>{const t=performance.now();f();console.log(n.padEnd(30),(performance.now()-t).toFixed(1),'ms')}
T('apply all',()=>mesh.apply(changes))
const sessions:any[]=[]; let notified=0
T('open 200',()=>{for(let i=0;i<200;i++){const p=i; sessions.push(mesh.open({id:`sidecar~${ip(p)}~${sv(i)}-0.${ns(i)}~${ns(i)}.svc.cluster.local`,cluster:'',metadata:{NAMESPACE:ns(i),LABELS:{app:sv(i),version:'v1'},INSTANCE_IPS:ip(p)},locality:{region:'',zone:'',subZone:''},userAgentName:'envoy',userAgentVersion:'1.40.0'},{vhds:true},()=>{notified++}))}})
const types=['config.cluster.v3.Cluster','config.endpoint.v3.ClusterLoadAssignment','config.listener.v3.Listener','config.route.v3.RouteConfiguration','config.route.v3.VirtualHost'].map(t=>'type.googleapis.com/envoy.'+t)
for(const t of types){let b=0,n=0;for(const part of sessions[0].resources(t).parts)for(const r of part.values()){b+=r.bytes.length;n++};console.log(t,n,(b/1024).toFixed(0)+'KB', 'distinct sets', new Set(sessions.map(s=>s.resources(t))).size)}
console.log('rss',process.memoryUsage().rss>>20,'heap',process.memoryUsage().heapUsed>>20)
let r=0
const host=`${sv(0)}.${ns(0)}.svc.cluster.local`
const kinds:any={
 ep:()=>({apiVersion:'discovery.k8s.io/v1',kind:'EndpointSlice',addressType:'IPv4',metadata:{name:sv(0)+'-1',namespace:ns(0),labels:{'kubernetes.io/service-name':sv(0)}},endpoints:[{addresses:[`10.250.0.${r}`],conditions:{ready:true}}],ports:[{name:'http',port:8080}]}),
 vs:()=>({apiVersion:'networking.istio.io/v1',kind:'VirtualService',metadata:{name:'bench',namespace:ns(0)},spec:{hosts:[host],http:[{headers:{request:{set:{'x-bench':'v'+r}}},route:[{destination:{host}}]}]}}),
 dr:()=>({apiVersion:'networking.istio.io/v1',kind:'DestinationRule',metadata:{name:'bench',namespace:ns(0)},spec:{host,subsets:[{name:'s'+r,labels:{version:'v1'}}]}}),
 svc:()=>({apiVersion:'v1',kind:'Service',metadata:{name:'new-'+r,namespace:ns(0)},spec:{clusterIP:'10.98.0.'+(r%250),selector:{app:'new'},ports:[{name:'http',port:80,targetPort:8080}]}}),
}
for(const k of ['ep','vs','dr','svc','ep','vs','dr','svc']) for(let j=0;j<4;j++){ r++
 const before=sessions.map(s=>types.map(t=>s.resources(t)))
 notified=0
 const c={operation:'set',object:kinds[k]()}
 const t0=performance.now(); mesh.apply([c as any]); const t1=performance.now()
 const d=new Set<string>(); let bytes=0
 sessions.forEach((s,i)=>types.forEach((t,j)=>{const to=s.resources(t); if(to!==before[i]![j]){const x=difference(before[i]![j]!,to); x.changed.forEach(q=>{d.add(q.name);bytes+=q.bytes.length})}}))
 console.log(k,'apply',(t1-t0).toFixed(1),'diff',(performance.now()-t1).toFixed(1),'notified',notified,'KB',(bytes/1024).toFixed(0),[...d].slice(0,4).join(' '))
}
console.log('rss',process.memoryUsage().rss>>20,'heap',process.memoryUsage().heapUsed>>20)
